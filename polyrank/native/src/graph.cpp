// The region graph: codewords, the walk over the regions, facet lists.
#include <algorithm>
#include <cstring>
#include <new>

#include "facet_walk.hpp"
#include "interface.hpp"

using namespace polyrank;

namespace {

// A walk of any dimension.
class AnyWalk {
 public:
  virtual ~AnyWalk() = default;
  virtual void advance(std::int64_t begin, std::int64_t end) = 0;
  virtual Found &found() = 0;
  virtual const GraphStatistics &statistics() const = 0;
};

template <int D> class WalkOf final : public AnyWalk {
 public:
  WalkOf(const Network &net, const Listing &run, std::int64_t d, std::int64_t own_walls, std::int64_t layers)
      : walk_(net, run, d, own_walls, layers) {}
  void advance(std::int64_t begin, std::int64_t end) override { walk(walk_, begin, end); }
  Found &found() override { return walk_.found; }
  const GraphStatistics &statistics() const override { return walk_.stat; }

 private:
  Walk<D> walk_;
};

template <class T> void copy(const std::vector<T> &from, Array<T, 1> to) { std::copy(from.begin(), from.end(), to.data); }

template <class T> void hand_out(std::vector<T> &from, Array<T, 1> to) {
  copy(from, to);
  std::vector<T>().swap(from);
}

}  // namespace

POLYRANK_API std::int64_t polyrank_codes_fill(const CodeTable *codes, std::int64_t bits) {
  return CodeTable(*codes).fill(bits);
}

POLYRANK_API std::int64_t polyrank_codes_pairs(const CodeTable *codes, std::int64_t bits) { return codes->pairs(bits); }

POLYRANK_API void *polyrank_graph_new(const Network *net, const Listing *run, std::int64_t d, std::int64_t own_walls,
                                      std::int64_t layers) {
  try {
    const auto make = [&]<int D>() -> AnyWalk * { return new WalkOf<D>(*net, *run, d, own_walls, layers); };
    switch (d) {
#ifndef POLYRANK_ANY_DIMENSION
      case 3: return make.template operator()<3>();
      case 4: return make.template operator()<4>();
      case 5: return make.template operator()<5>();
      case 6: return make.template operator()<6>();
#endif
      default: return make.template operator()<0>();
    }
  } catch (const std::bad_alloc &) {
    return nullptr;
  }
}

POLYRANK_API void polyrank_graph_free(void *walk) { delete static_cast<AnyWalk *>(walk); }

// Edges that a walk over earlier regions has found, and that the regions `target` need not find again. 0 where
// memory ran out.
POLYRANK_API std::int64_t polyrank_graph_link(void *walk, Array<std::int32_t, 1> source, Array<std::int32_t, 1> target,
                                              Array<std::int32_t, 1> row) {
  try {
    Found &found = static_cast<AnyWalk *>(walk)->found();
    for (std::int64_t i = 0; i < source.shape[0]; i++) {
      std::int32_t &head = found.head[static_cast<std::size_t>(target(i))];
      found.edge_source.push_back(source(i));
      found.edge_target.push_back(target(i));
      found.edge_row.push_back(row(i));
      found.edge_next.push_back(head);
      head = static_cast<std::int32_t>(found.edges() - 1);
    }
    return 1;
  } catch (const std::bad_alloc &) {
    return 0;
  }
}

// Facets of the regions begin .. end - 1. 0 where memory ran out: the walk is of no use any more.
POLYRANK_API std::int64_t polyrank_graph_walk(void *walk, std::int64_t begin, std::int64_t end) {
  try {
    static_cast<AnyWalk *>(walk)->advance(begin, end);
    return 1;
  } catch (const std::bad_alloc &) {
    return 0;
  }
}

// Numbers of edges, wall facets, odd facets and points.
POLYRANK_API void polyrank_graph_sizes(void *walk, Array<std::int64_t, 1> out) {
  const Found &found = static_cast<AnyWalk *>(walk)->found();
  out(0) = found.edges();
  out(1) = static_cast<std::int64_t>(found.wall_row.size());
  out(2) = found.odds();
  out(3) = static_cast<std::int64_t>(found.owner.size());
}

// Hands out the odd facets and the points, and forgets them.
POLYRANK_API void polyrank_graph_take(void *walk, Array<std::int64_t, 2> odd, Array<std::int64_t, 1> owner,
                                      Array<double, 2> point) {
  Found &found = static_cast<AnyWalk *>(walk)->found();
  std::copy(found.odd.begin(), found.odd.end(), odd.data);
  std::copy(found.point.begin(), found.point.end(), point.data);
  copy(found.owner, owner);
  found.odd.clear();
  found.owner.clear();
  found.point.clear();
}

// Hands out the edges and forgets them, column by column: the walk is over.
POLYRANK_API void polyrank_graph_edges(void *walk, Array<std::int32_t, 1> source, Array<std::int32_t, 1> target,
                                       Array<std::int32_t, 1> row, Array<std::int32_t, 1> next) {
  Found &found = static_cast<AnyWalk *>(walk)->found();
  hand_out(found.edge_source, source);
  hand_out(found.edge_target, target);
  hand_out(found.edge_row, row);
  hand_out(found.edge_next, next);
}

POLYRANK_API void polyrank_graph_walls(void *walk, Array<std::int32_t, 1> region, Array<std::int32_t, 1> row) {
  const Found &found = static_cast<AnyWalk *>(walk)->found();
  copy(found.wall_region, region);
  copy(found.wall_row, row);
}

POLYRANK_API void polyrank_graph_open(void *walk, Array<std::uint8_t, 1> out) {
  copy(static_cast<AnyWalk *>(walk)->found().open, out);
}

// In the order of polyrank/graph/arrays.py, STATISTICS.
POLYRANK_API void polyrank_graph_statistics(void *walk, Array<std::int64_t, 1> out) {
  std::memcpy(out.data, &static_cast<AnyWalk *>(walk)->statistics(), sizeof(GraphStatistics));
}

// 0 where memory ran out.
POLYRANK_API std::int64_t polyrank_graph_group(Regions source, Regions target, Regions unit, Regions mirrored, Pairs walls,
                                               Pairs nowhere, Array<std::int64_t, 1> start,
                                               Array<std::int32_t, 1> facet_unit, Array<std::int32_t, 1> facet_to) {
  try {
    group_facets(source, target, unit, mirrored, walls, nowhere, start, facet_unit, facet_to);
    return 1;
  } catch (const std::bad_alloc &) {
    return 0;
  }
}

// -1 where memory ran out.
POLYRANK_API std::int64_t polyrank_graph_components(Regions source, Regions target, std::int64_t regions) {
  try {
    return count_components(source, target, regions);
  } catch (const std::bad_alloc &) {
    return -1;
  }
}
