// Views of C-contiguous arrays that the caller owns.
#pragma once

#include <cstdint>

namespace polyrank {

template <class T, int N> struct Array {
  T *data;
  std::int64_t shape[N];

  template <class... I> T &operator()(I... index) const {
    static_assert(sizeof...(I) == N);
    const std::int64_t at[] = {static_cast<std::int64_t>(index)...};
    std::int64_t offset = at[0];
    for (int l = 1; l < N; l++) offset = offset * shape[l] + at[l];
    return data[offset];
  }

  // The first address of the row with the given leading index.
  T *row(std::int64_t i) const
    requires(N == 2)
  {
    return data + i * shape[1];
  }

  std::int64_t size() const {
    std::int64_t n = 1;
    for (int l = 0; l < N; l++) n *= shape[l];
    return n;
  }
};

}  // namespace polyrank
