// Pairs of axis-parallel boxes that meet: a tree of boxes, walked once per box.
#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <vector>

#include "array.hpp"

namespace polyrank {

// Boxes are split at the median of their middles, along the axis where these spread the most. A box
// is looked up among those that come after it in the order of the tree, so that each pair is met
// once; what stops at a budget goes on from there.
class BoxPairs {
public:
  BoxPairs(Array<const double, 2> low, Array<const double, 2> high,
           Array<const std::int64_t, 1> group)
      : m(low.shape[1]),
        count(low.shape[0]),
        order(count),
        own_group(count),
        own_low(count * m),
        own_high(count * m) {
    std::iota(order.begin(), order.end(), 0);
    if (count) split(low, high, 0, count);
    for (std::int64_t p = 0; p < count; p++) {
      std::copy_n(low.row(order[p]), m, own_low.begin() + p * m);
      std::copy_n(high.row(order[p]), m, own_high.begin() + p * m);
      own_group[p] = group(order[p]);
    }
    for (auto node = nodes.rbegin(); node != nodes.rend(); ++node) bound(*node);
  }

  // Adds pairs until there are at least `budget` of them, or all; returns whether that was all.
  bool advance(std::int64_t budget) {
    found.clear();
    while (at < count && static_cast<std::int64_t>(found.size()) < 2 * budget) look_up(at++);
    return at >= count;
  }

  std::vector<std::int64_t> found;

private:
  static constexpr std::int64_t leaf_size = 4;

  struct Node {
    std::int64_t first, last;  // places in the order
    std::int64_t left, right;  // children; −1 at a leaf
    std::vector<double> low, high;
  };

  std::int64_t m, count, at = 0;
  std::vector<std::int64_t> order, own_group;
  std::vector<double> own_low, own_high;  // in the order of the tree
  std::vector<Node> nodes;                // children come after their parent
  std::vector<std::int64_t> waiting;

  std::int64_t split(Array<const double, 2> low, Array<const double, 2> high, std::int64_t first,
                     std::int64_t last) {
    const auto number = static_cast<std::int64_t>(nodes.size());
    nodes.push_back({first, last, -1, -1, {}, {}});
    if (last - first <= leaf_size) return number;
    std::int64_t axis = 0;
    double widest = -1;
    for (std::int64_t k = 0; k < m; k++) {
      double least = low(order[first], k) / 2 + high(order[first], k) / 2, most = least;
      for (std::int64_t p = first; p < last; p++) {
        const double middle = low(order[p], k) / 2 + high(order[p], k) / 2;
        least = std::min(least, middle);
        most = std::max(most, middle);
      }
      if (most - least > widest) {
        widest = most - least;
        axis = k;
      }
    }
    // an axis on which a box is unbounded has no order: middles that are no numbers come last
    const auto key = [&](std::int64_t box) {
      const double middle = low(box, axis) / 2 + high(box, axis) / 2;
      return middle == middle ? middle : 1e308;
    };
    const std::int64_t half = first + (last - first) / 2;
    if (m)
      std::nth_element(order.begin() + first, order.begin() + half, order.begin() + last,
                       [&](std::int64_t a, std::int64_t b) { return key(a) < key(b); });
    const std::int64_t left = split(low, high, first, half);
    const std::int64_t right = split(low, high, half, last);
    nodes[number].left = left;
    nodes[number].right = right;
    return number;
  }

  void bound(Node &node) {
    node.low.assign(m, 0);
    node.high.assign(m, 0);
    for (std::int64_t k = 0; k < m; k++) {
      if (node.left < 0) {
        node.low[k] = own_low[node.first * m + k];
        node.high[k] = own_high[node.first * m + k];
        for (std::int64_t p = node.first; p < node.last; p++) {
          node.low[k] = std::min(node.low[k], own_low[p * m + k]);
          node.high[k] = std::max(node.high[k], own_high[p * m + k]);
        }
      } else {
        node.low[k] = std::min(nodes[node.left].low[k], nodes[node.right].low[k]);
        node.high[k] = std::max(nodes[node.left].high[k], nodes[node.right].high[k]);
      }
    }
  }

  bool apart(const double *low, const double *high, std::int64_t p) const {
    for (std::int64_t k = 0; k < m; k++)
      if (own_low[p * m + k] > high[k] || low[k] > own_high[p * m + k]) return true;
    return false;
  }

  void look_up(std::int64_t p) {
    waiting.assign(1, 0);
    while (!waiting.empty()) {
      const Node &node = nodes[waiting.back()];
      waiting.pop_back();
      if (node.last <= p + 1 || apart(node.low.data(), node.high.data(), p)) continue;
      if (node.left >= 0) {
        waiting.push_back(node.left);
        waiting.push_back(node.right);
        continue;
      }
      for (std::int64_t q = std::max(node.first, p + 1); q < node.last; q++) {
        if (own_group[q] >= 0 && own_group[q] == own_group[p]) continue;
        if (apart(&own_low[q * m], &own_high[q * m], p)) continue;
        found.push_back(std::min(order[p], order[q]));
        found.push_back(std::max(order[p], order[q]));
      }
    }
  }
};

}  // namespace polyrank
