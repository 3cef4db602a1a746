// Farkas proofs of redundancy that earlier regions left, and where they still hold.
//
// A proof z_i = c + sum lambda_b z_b is an identity between affine forms; it shows row i redundant
// on every cell on whose side all its forms have the signs that they have in it. The forms of a
// layer and of the layers below stay the same as long as the layer is not composed anew, and with
// them the signs of the layers below, so that only the bits of that layer are left to compare: a
// few machine words. On a cell of a stage only proofs hold that use no unit of a later one: such a
// unit may cut the cell.
#pragma once

#include <utility>

#include "facet_vertices.hpp"

namespace polyrank {

// Whether a remembered proof shows the row redundant.
inline bool recall(Walk &w, int row) {
  if (w.level < 0) return false;
  const int layer = w.layer_here();
  ProofStore &store = w.proofs[static_cast<std::size_t>(layer)];
  constexpr int most = ProofStore::most;
  if (store.stamp[row] != w.loaded[layer]) return false;
  const int count = store.count[row];
  const std::uint64_t *here = &w.word[layer * w.words];
  int *stage = &store.stage[static_cast<std::int64_t>(row) * most];
  const std::int64_t first = static_cast<std::int64_t>(row) * w.words * most;
  for (int c0 = 0; c0 < count; c0 += lane_count) {
    Mask apart{};
    for (int v = 0; v < w.words; v++) {
      Mask mask, word;
      std::memcpy(&mask, &store.mask[first + v * most + c0], sizeof mask);
      std::memcpy(&word, &store.word[first + v * most + c0], sizeof word);
      apart |= (mask & static_cast<std::int64_t>(here[v])) ^ word;
    }
    const Mask same = apart == 0;
    if ((same[0] | same[1] | same[2] | same[3]) == 0) continue;
    for (int c = c0; c < std::min(c0 + lane_count, count); c++) {
      if (!same[c - c0] || stage[c] > w.level) continue;
      w.stat.by_recall++;
      // proofs that hold often come first
      for (int v = 0; v < w.words && c > 0; v++) {
        const std::int64_t at = first + v * most;
        std::swap(store.mask[at + c], store.mask[at + (c >> 1)]);
        std::swap(store.word[at + c], store.word[at + (c >> 1)]);
      }
      std::swap(stage[c], stage[c >> 1]);
      return true;
    }
  }
  return false;
}

// Keeps the proof that the current basis and rates just gave for a row.
inline void remember(Walk &w, int row) {
  if (w.level < 0) return;
  const int layer = w.layer_here();
  ProofStore &store = w.proofs[static_cast<std::size_t>(layer)];
  constexpr int most = ProofStore::most;
  if (store.stamp[row] != w.loaded[layer]) {
    store.stamp[row] = w.loaded[layer];
    store.count[row] = store.turn[row] = 0;
  }
  // the next place, else the places of the second half in turn
  int c = store.count[row];
  if (c < most) {
    store.count[row]++;
  } else {
    c = most / 2 + store.turn[row];
    store.turn[row] = (store.turn[row] + 1) % (most - most / 2);
  }
  std::int64_t *mask = &store.mask[static_cast<std::int64_t>(row) * w.words * most + c];
  std::int64_t *word = &store.word[static_cast<std::int64_t>(row) * w.words * most + c];
  int &stage = store.stage[static_cast<std::int64_t>(row) * most + c];
  stage = 0;
  for (int v = 0; v < w.words; v++) mask[v * most] = 0;
  const auto mark = [&](int other) {
    if (!w.is_unit(other) || w.layer_of(other) != layer) return;
    const std::int64_t i = other - w.walls - w.net.unit_start(layer);
    mask[(i >> 6) * most] |= static_cast<std::int64_t>(bit_of(i));
    stage = std::max(stage, w.stage[other - w.walls]);
  };
  mark(row);
  for (int q = 0; q < w.d(); q++)
    if (w.lp.rates[q] > 0.0 && w.lp.basis[q] >= 0) mark(w.cell().row[w.lp.basis[q]]);
  for (int v = 0; v < w.words; v++)
    word[v * most] = static_cast<std::int64_t>(w.word[layer * w.words + v]) & mask[v * most];
}

}  // namespace polyrank
