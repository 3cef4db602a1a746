// The facets of every region one after the other, and the components of a graph.
#pragma once

#include <algorithm>
#include <cstdint>

#include "array.hpp"
#include "codewords.hpp"

namespace polyrank {

using Regions = Array<const std::int32_t, 1>;
using Pairs = Array<const std::int32_t, 2>;  // (region, name)

// Facets by region: those to later regions, to earlier ones, at walls, before nothing. start holds
// regions + 1 zeros and receives the first facet of every region.
inline void group_facets(Regions source, Regions target, Regions unit, Regions mirrored,
                         Pairs walls, Pairs nowhere, Array<std::int64_t, 1> start,
                         Array<std::int32_t, 1> facet_unit, Array<std::int32_t, 1> facet_to) {
  const std::int64_t edges = source.shape[0], regions = start.shape[0] - 1;
  for (std::int64_t e = 0; e < edges; e++) {
    start(source(e) + 1)++;
    start(target(e) + 1)++;
  }
  for (std::int64_t i = 0; i < walls.shape[0]; i++) start(walls(i, 0) + 1)++;
  for (std::int64_t i = 0; i < nowhere.shape[0]; i++) start(nowhere(i, 0) + 1)++;
  for (std::int64_t r = 0; r < regions; r++) start(r + 1) += start(r);
  const auto put = [&](std::int32_t region, std::int32_t name, std::int32_t to) {
    const std::int64_t f = start(region)++;
    facet_unit(f) = name;
    facet_to(f) = to;
  };
  for (std::int64_t e = 0; e < edges; e++) put(source(e), unit(e), target(e));
  for (std::int64_t e = 0; e < edges; e++) put(target(e), mirrored(e), source(e));
  for (std::int64_t i = 0; i < walls.shape[0]; i++) put(walls(i, 0), walls(i, 1), domain_wall);
  for (std::int64_t i = 0; i < nowhere.shape[0]; i++)
    put(nowhere(i, 0), nowhere(i, 1), static_cast<std::int32_t>(missing));
  // each start is the end of its region now, which is the start of the next one
  for (std::int64_t r = regions; r > 0; r--) start(r) = start(r - 1);
  start(0) = 0;
}

// Components of the kept regions through the chosen edges (all, where none is named), by union-find
// with path halving. label receives each region's component, numbered by their first regions, or
// -1; until then it holds parents, no region's later than itself. Returns how many there are.
inline std::int64_t find_components(Regions source, Regions target,
                                    Array<const std::uint8_t, 1> keep,
                                    Array<const std::uint8_t, 1> chosen,
                                    Array<std::int32_t, 1> label) {
  const std::int64_t regions = label.shape[0];
  for (std::int64_t r = 0; r < regions; r++) label(r) = static_cast<std::int32_t>(r);
  const auto leader = [&](std::int32_t r) {
    for (; label(r) != r; r = label(r)) label(r) = label(label(r));
    return r;
  };
  for (std::int64_t e = 0; e < source.shape[0]; e++) {
    if (!keep(source(e)) || !keep(target(e)) || (chosen.shape[0] > 0 && !chosen(e))) continue;
    const std::int32_t a = leader(source(e)), b = leader(target(e));
    if (a != b) label(std::max(a, b)) = std::min(a, b);
  }
  // a leader is the first region of its component, and an earlier parent has its number already
  std::int32_t components = 0;
  for (std::int64_t r = 0; r < regions; r++)
    label(r) = !keep(r) ? -1 : label(r) == r ? components++ : label(label(r));
  return components;
}

}  // namespace polyrank
