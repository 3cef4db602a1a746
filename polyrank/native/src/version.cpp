// What the library was built from, and what the processor can do.
#include "interface.hpp"

#if defined(__x86_64__) && !defined(POLYRANK_PORTABLE)
#include <cpuid.h>
#endif

POLYRANK_API const char *polyrank_sources() { return POLYRANK_SOURCES; }

// Whether processor and operating system carry AVX2 registers: cpuid leaves 1 and 7, and XCR0. A
// portable build has no library for them.
POLYRANK_API int polyrank_has_avx2() {
#if defined(__x86_64__) && !defined(POLYRANK_PORTABLE)
  unsigned a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d)) return 0;
  if ((c & bit_OSXSAVE) == 0 || (c & bit_AVX) == 0) return 0;
  unsigned low, high;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  if ((low & 6u) != 6u) return 0;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_AVX2) != 0;
#else
  return 0;
#endif
}
