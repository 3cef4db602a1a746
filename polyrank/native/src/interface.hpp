// How functions leave the library: C names, nothing thrown across the border.
#pragma once

#if defined(_WIN32)
#define POLYRANK_API extern "C" __declspec(dllexport)
#else
#define POLYRANK_API extern "C" __attribute__((visibility("default")))
#endif
