// The proof log: one short record per decision; polyrank/proof/format.py says what each one claims.
#pragma once

#include <cstdint>

#include "buffer.hpp"

namespace polyrank {

// polyrank/cells/log_steps.py
enum class LogStep : std::uint8_t {
  zero = 1,
  split = 2,
  next = 3,
  leaf = 4,
  defer = 5,
  cube_negative = 6,
  cube_positive = 7,
  negative = 8,
  positive = 9,
  negative_by = 10,  // with any number of two-byte row indices
  positive_by = 11,
  negative_on_box = 12,  // with as many two-byte indices of rows as of coordinates
  positive_on_box = 13,
};

class ProofLog {
public:
  std::int64_t size = 0;  // bytes written; set back to drop what was written since

  ProofLog() = default;
  // `rows` is how many constraints a cell can have: indices take one byte up to 256, then two.
  ProofLog(std::int64_t capacity, std::int64_t rows) : bytes_(capacity), narrow_(rows <= 256) {}

  bool on() const { return bytes_.size() > 0; }
  std::int64_t capacity() const { return bytes_.size(); }
  const std::uint8_t *data() const { return bytes_.data(); }

  // A step about the cell.
  void step(LogStep step) {
    if (on()) put(static_cast<std::uint8_t>(step));
  }

  // A step about one unit of the current layer.
  void unit(LogStep step, std::int64_t unit) {
    if (!on()) return;
    put(static_cast<std::uint8_t>(step));
    put_index(unit);
  }

  // The unit has sign `side` on the cell, by the rows of a basis.
  void miss(std::int64_t at, int side, const int *basis, int d) {
    if (!on()) return;
    unit(side > 0 ? LogStep::positive : LogStep::negative, at);
    for (int q = 0; q < d; q++) row(basis[q]);
  }

  // The same by `count` rows and as many coordinates on the box; two-byte indices follow.
  void miss_on_box(std::int64_t at, int side, std::int64_t count) {
    if (!on()) return;
    unit(side > 0 ? LogStep::positive_on_box : LogStep::negative_on_box, at);
    put_index(count);
  }

  // Index of a constraint, in the width of this log.
  void row(std::int64_t m) {
    if (narrow_)
      put(static_cast<std::uint8_t>(m));
    else
      put_index(m);
  }

  void put(std::uint8_t byte) { bytes_[size++] = byte; }
  void put_index(std::int64_t v) {
    if (!on()) return;
    put(static_cast<std::uint8_t>(v & 255));
    put(static_cast<std::uint8_t>(v >> 8));
  }

private:
  Buffer<std::uint8_t> bytes_;
  bool narrow_ = true;
};

// Bytes that the steps of one cell can need, on its way through all layers.
inline std::int64_t log_reserve(std::int64_t units, std::int64_t indices) {
  return (units + 2) * (6 + 2 * indices) + 16;
}

}  // namespace polyrank
