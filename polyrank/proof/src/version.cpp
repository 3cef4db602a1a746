// The hash of the sources that the checker was built from.
#if defined(_WIN32)
extern "C" __declspec(dllexport)
#else
extern "C" __attribute__((visibility("default")))
#endif
const char *polyrank_sources() {
  return POLYRANK_SOURCES;
}
