// Memory that its owner frees; whole lanes may be read past the last entry.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>

#include "lanes.hpp"

namespace polyrank {

template <class T> class Buffer {
public:
  Buffer() = default;
  // Room for n entries, not initialised: pages that nothing touches cost nothing.
  explicit Buffer(std::int64_t n)
      : entries_(new T[static_cast<std::size_t>(padded(n) + lane_count)]), size_(n) {}
  [[gnu::noinline]] Buffer(std::int64_t n, T value) : Buffer(n) {
    std::fill(entries_.get(), entries_.get() + padded(n) + lane_count, value);
  }

  T &operator[](std::int64_t i) { return entries_[static_cast<std::size_t>(i)]; }
  const T &operator[](std::int64_t i) const { return entries_[static_cast<std::size_t>(i)]; }
  T *data() { return entries_.get(); }
  const T *data() const { return entries_.get(); }
  std::int64_t size() const { return size_; }

private:
  std::unique_ptr<T[]> entries_;
  std::int64_t size_ = 0;
};

}  // namespace polyrank
