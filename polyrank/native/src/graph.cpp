// The region graph: codewords, the walk over the regions, facet lists.
#include <algorithm>
#include <cstring>
#include <new>

#include "facet_walk.hpp"
#include "grouping.hpp"
#include "interface.hpp"

using namespace polyrank;

namespace {

template <class T> void copy(const std::vector<T> &from, Array<T, 1> to) {
  std::copy(from.begin(), from.end(), to.data);
}

}  // namespace

POLYRANK_API std::int64_t polyrank_codes_fill(const CodeTable *codes, std::int64_t bits) {
  return CodeTable(*codes).fill(bits);
}

POLYRANK_API std::int64_t polyrank_codes_pairs(const CodeTable *codes, std::int64_t bits) {
  return codes->pairs(bits);
}

POLYRANK_API void polyrank_codes_first_differences(const CodeTable *codes, std::int64_t bits,
                                                   Array<std::int64_t, 1> out) {
  codes->first_differences(bits, out);
}

// A walk over the block of the regions begin .. end - 1.
POLYRANK_API void *polyrank_graph_new(const Network *net, const Listing *run, std::int64_t d,
                                      std::int64_t own_walls, std::int64_t layers,
                                      std::int64_t begin, std::int64_t end) {
  try {
    const WalkTask task{*net, *run, d, own_walls, layers, begin, end};
    std::unique_ptr<AnyWalk> made = box_walk(task);
    if (!made) made = std::make_unique<FacetWalk>(task);
    return made.release();
  } catch (const std::bad_alloc &) {
    return nullptr;
  }
}

POLYRANK_API void polyrank_graph_free(void *walk) { delete static_cast<AnyWalk *>(walk); }

// Facets of the regions begin .. end - 1 of the block. Returns how many of them rationals must
// settle; -1 where memory ran out: the walk is of no use any more.
POLYRANK_API std::int64_t polyrank_graph_walk(void *walk, std::int64_t begin, std::int64_t end) {
  try {
    return static_cast<AnyWalk *>(walk)->advance(begin, end);
  } catch (const std::bad_alloc &) {
    return -1;
  }
}

// Numbers of edges, wall facets, odd facets and points of the block.
POLYRANK_API void polyrank_graph_sizes(void *walk, Array<std::int64_t, 1> out) {
  const Found &found = static_cast<AnyWalk *>(walk)->found();
  out(0) = found.edges();
  out(1) = static_cast<std::int64_t>(found.wall_row.size());
  out(2) = found.odds();
  out(3) = static_cast<std::int64_t>(found.owner.size());
}

// Hands out what was found in the block.
POLYRANK_API void polyrank_graph_edges(void *walk, Array<std::int32_t, 1> source,
                                       Array<std::int32_t, 1> target, Array<std::int32_t, 1> row,
                                       Array<std::uint8_t, 1> alone) {
  const Found &found = static_cast<AnyWalk *>(walk)->found();
  copy(found.edge_source, source);
  copy(found.edge_target, target);
  copy(found.edge_row, row);
  copy(found.alone, alone);
}

POLYRANK_API void polyrank_graph_walls(void *walk, Array<std::int32_t, 1> region,
                                       Array<std::int32_t, 1> row) {
  const Found &found = static_cast<AnyWalk *>(walk)->found();
  copy(found.wall_region, region);
  copy(found.wall_row, row);
}

POLYRANK_API void polyrank_graph_odd(void *walk, Array<std::int64_t, 2> odd,
                                     Array<std::int64_t, 1> owner, Array<double, 2> point,
                                     Array<std::uint8_t, 1> open) {
  const Found &found = static_cast<AnyWalk *>(walk)->found();
  std::copy(found.odd.begin(), found.odd.end(), odd.data);
  std::copy(found.point.begin(), found.point.end(), point.data);
  copy(found.owner, owner);
  copy(found.open, open);
}

// In the order of polyrank/graph/arrays.py, STATISTICS.
POLYRANK_API void polyrank_graph_statistics(void *walk, Array<std::int64_t, 1> out) {
  std::memcpy(out.data, &static_cast<AnyWalk *>(walk)->statistics(), sizeof(GraphStatistics));
}

POLYRANK_API void polyrank_graph_group(Regions source, Regions target, Regions unit,
                                       Regions mirrored, Pairs walls, Pairs nowhere,
                                       Array<std::int64_t, 1> start,
                                       Array<std::int32_t, 1> facet_unit,
                                       Array<std::int32_t, 1> facet_to) {
  group_facets(source, target, unit, mirrored, walls, nowhere, start, facet_unit, facet_to);
}

POLYRANK_API std::int64_t polyrank_graph_components(Regions source, Regions target,
                                                    Array<const std::uint8_t, 1> keep,
                                                    Array<const std::uint8_t, 1> chosen,
                                                    Array<std::int32_t, 1> label) {
  return find_components(source, target, keep, chosen, label);
}
