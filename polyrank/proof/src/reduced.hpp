// The rank of a few rows of small integers, exactly.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <numeric>
#include <vector>

namespace polyrank_check {

// Rows in echelon form, made one by one: every row is reduced by those before it and divided by the
// greatest common divisor of its entries, so that the rows that stay are independent and span what
// was added. An overflow is noticed.
class Reduced {
public:
  void start(std::int64_t k) {
    k_ = k;
    rows_.clear();
    pivots_.clear();
    overflow_ = false;
  }

  std::int64_t rank() const { return static_cast<std::int64_t>(pivots_.size()); }
  bool overflow() const { return overflow_; }

  // Adds a row of k integers, which is used up.
  void add(std::vector<std::int64_t> &row) {
    for (std::size_t r = 0; r < pivots_.size() && !overflow_; r++) {
      const std::int64_t *own = &rows_[r * k_], p = pivots_[r];
      if (!row[p]) continue;
      const std::int64_t common = std::gcd(row[p], own[p]);
      const std::int64_t a = own[p] / common, b = row[p] / common;
      for (std::int64_t l = 0; l < k_; l++) {
        std::int64_t first, second;
        overflow_ = __builtin_mul_overflow(row[l], a, &first) || overflow_;
        overflow_ = __builtin_mul_overflow(own[l], b, &second) || overflow_;
        overflow_ = __builtin_sub_overflow(first, second, &row[l]) || overflow_;
      }
      divide(row);
    }
    if (overflow_) return;
    for (std::int64_t l = 0; l < k_; l++)
      if (row[l]) {
        divide(row);
        pivots_.push_back(l);
        rows_.insert(rows_.end(), row.begin(), row.end());
        return;
      }
  }

private:
  std::int64_t k_ = 0;
  std::vector<std::int64_t> rows_, pivots_;
  bool overflow_ = false;

  void divide(std::vector<std::int64_t> &row) {
    std::int64_t common = 0;
    for (const std::int64_t v : row) {
      if (v == INT64_MIN) overflow_ = true;
      if (!overflow_) common = std::gcd(common, v);
    }
    if (common > 1)
      for (std::int64_t &v : row) v /= common;
  }
};

}  // namespace polyrank_check
