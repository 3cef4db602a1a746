// Farkas proofs of redundancy that earlier regions left, and where they still hold.
//
// A proof z_i = c + sum lambda_b z_b is an identity between affine forms; it shows row i redundant on
// every cell on whose side all its forms have the signs that they have in it. The forms of layer L and
// of the layers below stay the same as long as layer L is not composed anew, and with them the signs
// of the layers below L, so that only the bits of layer L are left to compare: a few machine words.
#pragma once

#include <utility>

#include "facet_vertices.hpp"

namespace polyrank {

// Whether a remembered proof over the layers below `layers` shows the row redundant.
template <int D> bool recall(Walk<D> &w, int row, int layers) {
  ProofStore &store = w.proofs;
  constexpr int most = ProofStore::most;
  const std::int64_t first = static_cast<std::int64_t>(row) * most;
  for (int c = 0; c < most; c++) {
    const std::int64_t at = first + c, k = store.layer[at];
    if (k < 0) return false;
    if (k >= layers || store.stamp[at] != w.loaded[k]) continue;
    const std::uint64_t *here = &w.word[k * w.words];
    bool same = true;
    for (int v = 0; v < w.words && same; v++)
      same = (here[v] & store.mask[at * w.words + v]) == store.word[at * w.words + v];
    if (!same) continue;
    w.stat.by_recall++;
    if (c > 0) {  // proofs that hold often come first
      const std::int64_t to = first + (c >> 1);
      for (int v = 0; v < w.words; v++) {
        std::swap(store.mask[at * w.words + v], store.mask[to * w.words + v]);
        std::swap(store.word[at * w.words + v], store.word[to * w.words + v]);
      }
      std::swap(store.layer[at], store.layer[to]);
      std::swap(store.stamp[at], store.stamp[to]);
    }
    return true;
  }
  return false;
}

// Keeps the proof that the current basis and rates just gave for a row.
template <int D> void remember(Walk<D> &w, int row) {
  ProofStore &store = w.proofs;
  constexpr int most = ProofStore::most;
  const std::int64_t first = static_cast<std::int64_t>(row) * most;
  const auto unit_of_slot = [&](int q) {  // the unit of a row with a positive multiplier, or -1
    if (!(w.lp.rates[q] > 0.0) || w.lp.basis[q] < 0) return -1;
    const int other = w.cell.row[w.lp.basis[q]];
    return w.is_unit(other) ? other - w.walls : -1;
  };
  int layer = w.is_unit(row) ? w.layer_of(row) : 0;
  for (int q = 0; q < w.d(); q++)
    if (const int g = unit_of_slot(q); g >= 0 && w.layer[g] > layer) layer = w.layer[g];
  // the first place that is empty or whose stamp is old, else the places of the second half in turn
  std::int64_t at = -1;
  for (int c = 0; c < most && at < 0; c++) {
    const std::int64_t k = store.layer[first + c];
    if (k < 0 || store.stamp[first + c] != w.loaded[k]) at = first + c;
  }
  if (at < 0) {
    at = first + most / 2 + store.turn[row];
    store.turn[row] = (store.turn[row] + 1) % (most - most / 2);
  }
  std::uint64_t *mask = &store.mask[at * w.words];
  for (int v = 0; v < w.words; v++) mask[v] = 0;
  store.layer[at] = layer;
  store.stamp[at] = w.loaded[layer];
  const auto mark = [&](int g) {
    if (g < 0 || w.layer[g] != layer) return;
    const std::int64_t i = g - w.net.unit_start(layer);
    mask[i >> 6] |= bit_of(i);
  };
  mark(w.is_unit(row) ? row - w.walls : -1);
  for (int q = 0; q < w.d(); q++) mark(unit_of_slot(q));
  for (int v = 0; v < w.words; v++) store.word[at * w.words + v] = w.word[layer * w.words + v] & mask[v];
}

}  // namespace polyrank
