// The hash of the sources that the checker was built from, and what the processor can do.
#if defined(__x86_64__) && !defined(POLYRANK_PORTABLE)
#include <cpuid.h>
#endif

#if defined(_WIN32)
#define POLYRANK_EXPORT extern "C" __declspec(dllexport)
#else
#define POLYRANK_EXPORT extern "C" __attribute__((visibility("default")))
#endif

POLYRANK_EXPORT const char *polyrank_sources() { return POLYRANK_SOURCES; }

// Whether processor and operating system carry AVX2 registers: cpuid leaves 1 and 7, and XCR0.
POLYRANK_EXPORT int polyrank_has_avx2() {
#if defined(__x86_64__) && !defined(POLYRANK_PORTABLE)
  unsigned a, b, c, d, low, high;
  if (!__get_cpuid(1, &a, &b, &c, &d)) return 0;
  if ((c & bit_OSXSAVE) == 0 || (c & bit_AVX) == 0) return 0;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  if ((low & 6u) != 6u) return 0;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_AVX2) != 0;
#else
  return 0;
#endif
}
