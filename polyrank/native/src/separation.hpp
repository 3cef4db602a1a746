// A hyperplane between the images of two pieces: proposed by the point of least norm, proved with
// bounds of the rounding errors.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "array.hpp"

namespace polyrank {

// Polytopes as lists of points; |image − true point| ≤ error, componentwise.
struct Polytopes {
  Array<const double, 2> image, error;
  Array<const std::int64_t, 1> start, vertex, dimension;
};

// The point of least norm in the convex hull of points with the given Gram matrix: P. Wolfe,
// "Finding the nearest point in a polytope", Math. Programming 11 (1976) 128-149.
class LeastNorm {
public:
  // Returns whether some convex combination x has a positive product with all points.
  bool solve(const std::vector<double> &gram_, int n_) {
    gram = &gram_;
    n = n_;
    weight.assign(n, 0.0);
    product.assign(n, 0.0);
    corral.clear();
    int first = 0;
    for (int i = 1; i < n; i++)
      if (g(i, i) < g(first, first)) first = i;
    corral.push_back(first);
    weight[first] = 1.0;
    for (int round = 0; round < 8 * n + 16; round++) {
      double norm = 0.0;
      int worst = 0;
      for (int j = 0; j < n; j++) {
        product[j] = 0.0;
        for (int i : corral) product[j] += weight[i] * g(i, j);
        if (product[j] < product[worst]) worst = j;
      }
      for (int i : corral) norm += weight[i] * product[i];
      const double least = product[worst];
      if (!(norm > 1e-30)) return false;
      if (least > 1e-3 * std::sqrt(norm)) return true;
      if (least >= norm * (1 - 1e-9) ||
          std::find(corral.begin(), corral.end(), worst) != corral.end())
        return least > 0.0;
      corral.push_back(worst);
      while (!affine_step()) {
      }
      if (corral.empty()) return false;
    }
    return false;
  }

  std::vector<double> weight;

private:
  const std::vector<double> *gram = nullptr;
  int n = 0;
  std::vector<int> corral;
  std::vector<double> product, system, target;

  double g(int i, int j) const { return (*gram)[static_cast<std::size_t>(i) * n + j]; }

  // Towards the least point of the affine hull of the corral; false if a point left on the way.
  bool affine_step() {
    const int s = static_cast<int>(corral.size()), w = s + 2;
    system.assign(static_cast<std::size_t>(s + 1) * w, 0.0);
    for (int i = 0; i < s; i++) {
      for (int j = 0; j < s; j++) system[i * w + j] = g(corral[i], corral[j]);
      system[i * w + s] = system[s * w + i] = 1.0;
    }
    system[s * w + s + 1] = 1.0;
    if (!eliminate(s + 1)) {
      // affinely dependent, as far as floats tell: the newest point is dropped, and that ends it
      weight[corral.back()] = 0.0;
      corral.clear();
      return true;
    }
    double step = 1.0;
    for (int i = 0; i < s; i++)
      if (target[i] <= 0.0) {
        const double now = weight[corral[i]];
        step = std::min(step, now / (now - target[i]));
      }
    bool inside = true;
    std::vector<int> kept;
    for (int i = 0; i < s; i++) {
      double &own = weight[corral[i]];
      own += step * (target[i] - own);
      if (target[i] <= 0.0 && own <= 1e-14) {
        own = 0.0;
        inside = false;
      } else {
        kept.push_back(corral[i]);
      }
    }
    if (step < 1.0 && inside) {  // rounding hid the point that is to leave
      corral.clear();
      return true;
    }
    corral = kept;
    return inside;
  }

  bool eliminate(int size) {
    const int w = size + 1;
    for (int c = 0; c < size; c++) {
      int pivot = c;
      for (int r = c + 1; r < size; r++)
        if (std::fabs(system[r * w + c]) > std::fabs(system[pivot * w + c])) pivot = r;
      if (!(std::fabs(system[pivot * w + c]) > 1e-14)) return false;
      for (int k = c; k < w; k++) std::swap(system[c * w + k], system[pivot * w + k]);
      for (int r = c + 1; r < size; r++) {
        const double factor = system[r * w + c] / system[c * w + c];
        for (int k = c; k < w; k++) system[r * w + k] -= factor * system[c * w + k];
      }
    }
    target.assign(size, 0.0);
    for (int r = size - 1; r >= 0; r--) {
      double sum = system[r * w + size];
      for (int k = r + 1; k < size; k++) sum -= system[r * w + k] * target[k];
      target[r] = sum / system[r * w + r];
    }
    return true;
  }
};

// Decides pairs one after another; its arrays are used again.
class Separation {
public:
  explicit Separation(const Polytopes &polytopes)
      : data(polytopes), m(static_cast<int>(polytopes.image.shape[1])) {}

  // Whether a hyperplane is proved to hold the common face of polytopes i and j, with the other
  // vertices of i strictly above and those of j strictly below: w is near its normal vector, and
  // exactly normal where the common face has at most one vertex. `face` is the dimension of the
  // common face, or −1 where it is not known.
  bool apart(std::int64_t i, std::int64_t j, std::int64_t face, double *w) {
    std::fill_n(w, m, 0.0);
    collect(i, j);
    const int n = static_cast<int>(above.size() + below.size());
    if (above.empty() || below.empty() || m == 0) return false;
    if (!directions(n)) return false;
    gram.resize(static_cast<std::size_t>(n) * n);
    for (int a = 0; a < n; a++)
      for (int b = a; b < n; b++) {
        double sum = 0.0;
        for (int k = 0; k < width; k++) sum += rows[a * width + k] * rows[b * width + k];
        gram[a * n + b] = gram[b * n + a] = sum;
      }
    if (!nearest.solve(gram, n)) return false;
    double largest = 0.0;
    for (int k = 0; k < m; k++) {
      for (int a = 0; a < n; a++)
        if (nearest.weight[a] != 0.0) w[k] += nearest.weight[a] * rows[a * width + k];
      largest = std::max(largest, std::fabs(w[k]));
    }
    if (!(largest > 0.0) || !std::isfinite(largest)) return false;
    const double scale = std::ldexp(1.0, -std::ilogb(largest));
    exact_w.assign(w, w + m);
    for (int k = 0; k < m; k++) {
      exact_w[k] *= scale;
      w[k] = std::nearbyint(exact_w[k] * 4096.0) / 4096.0;  // a short one is easier to keep
    }
    if (face < 0) face = std::min(data.dimension(i), data.dimension(j)) - 1;
    if (!face_basis(face)) return false;
    if (proved(w)) return true;
    std::copy(exact_w.begin(), exact_w.end(), w);
    return proved(w);
  }

private:
  Polytopes data;
  int m, width = 0;
  std::vector<std::int64_t> above, below, shared;  // vertices
  std::vector<double> rows, gram, basis, exact_w;
  LeastNorm nearest;
  // edges of the common face from its first vertex, with bounds, and an approximate inverse of k
  // of their columns
  int edges = 0;
  std::vector<double> edge, edge_error, inverse, work;
  std::vector<int> column, chosen;
  double inverse_norm = 0.0;

  const double *at(std::int64_t v) const { return data.image.row(v); }
  const double *slack(std::int64_t v) const { return data.error.row(v); }

  void collect(std::int64_t i, std::int64_t j) {
    above.clear();
    below.clear();
    shared.clear();
    std::int64_t p = data.start(i), q = data.start(j);
    const std::int64_t p_end = data.start(i + 1), q_end = data.start(j + 1);
    while (p < p_end || q < q_end) {
      if (q == q_end || (p < p_end && data.vertex(p) < data.vertex(q)))
        above.push_back(data.vertex(p++));
      else if (p == p_end || data.vertex(q) < data.vertex(p))
        below.push_back(data.vertex(q++));
      else {
        shared.push_back(data.vertex(p++));
        q++;
      }
    }
  }

  // Vectors that a functional w must make positive, one row per vertex outside the common face.
  bool directions(int n) {
    const bool touching = !shared.empty();
    width = touching ? m : m + 1;
    rows.resize(static_cast<std::size_t>(n) * width);
    center.assign(m, 0.0);
    if (touching) {
      std::copy_n(at(shared[0]), m, center.begin());
      if (!span()) return false;
    } else {
      for (int k = 0; k < m; k++) {
        double low = at(above[0])[k], high = low;
        for (const auto &side : {above, below})
          for (std::int64_t v : side) {
            low = std::min(low, at(v)[k]);
            high = std::max(high, at(v)[k]);
          }
        center[k] = low / 2 + high / 2;
      }
    }
    double size = 0.0;
    int a = 0;
    for (int side = 0; side < 2; side++)
      for (std::int64_t v : side ? below : above) {
        double *row = &rows[static_cast<std::size_t>(a++) * width];
        for (int k = 0; k < m; k++) {
          row[k] = at(v)[k] - center[k];
          size = std::max(size, std::fabs(row[k]));
        }
      }
    if (!(size > 0.0) || !std::isfinite(size)) return false;
    const double unit = std::ldexp(1.0, -std::ilogb(size));
    a = 0;
    for (int side = 0; side < 2; side++)
      for (std::size_t l = 0; l < (side ? below : above).size(); l++) {
        double *row = &rows[static_cast<std::size_t>(a++) * width];
        for (int k = 0; k < m; k++) row[k] *= unit;
        if (!touching) row[m] = 1.0;
        double before = norm(row), after = before;
        if (touching) {
          for (int twice = 0; twice < 2; twice++) project(row);
          after = norm(row);
        }
        if (!(after > 1e-12 * before)) return false;
        const double factor = (side ? -1.0 : 1.0) / after;
        for (int k = 0; k < width; k++) row[k] *= factor;
      }
    return true;
  }

  std::vector<double> center;

  double norm(const double *row) const {
    double sum = 0.0;
    for (int k = 0; k < width; k++) sum += row[k] * row[k];
    return std::sqrt(sum);
  }

  void project(double *row) const {
    for (std::size_t b = 0; b < basis.size(); b += m) {
      double sum = 0.0;
      for (int k = 0; k < m; k++) sum += basis[b + k] * row[k];
      for (int k = 0; k < m; k++) row[k] -= sum * basis[b + k];
    }
  }

  // An orthonormal basis of the differences of the shared vertices, largest remainder first.
  bool span() {
    basis.clear();
    chosen.clear();
    const int k_max = std::min<int>(m, static_cast<int>(shared.size()) - 1);
    std::vector<double> row(m), best(m);
    double scale = 0.0;
    for (int step = 0; step < k_max; step++) {
      double largest = 0.0;
      int which = -1;
      for (int s = 1; s < static_cast<int>(shared.size()); s++) {
        for (int k = 0; k < m; k++) row[k] = at(shared[s])[k] - center[k];
        double size = 0.0;
        for (int k = 0; k < m; k++) size = std::max(size, std::fabs(row[k]));
        if (!(size > 0.0) || !std::isfinite(size)) continue;
        scale = std::max(scale, size);
        for (int twice = 0; twice < 2; twice++) project(row.data());
        double rest = 0.0;
        for (int k = 0; k < m; k++) rest = std::max(rest, std::fabs(row[k]));
        if (rest > largest) {
          largest = rest;
          which = s;
          best = row;
        }
      }
      if (which < 0 || !(largest > 1e-9 * scale)) break;
      double sum = 0.0;
      for (int k = 0; k < m; k++) sum += (best[k] / largest) * (best[k] / largest);
      const double length = largest * std::sqrt(sum);
      for (int k = 0; k < m; k++) basis.push_back(best[k] / length);
      chosen.push_back(which);
    }
    return shared.size() == 1 || !chosen.empty();
  }

  // The edges that span the common face, proved independent. They do if they are all edges, or as
  // many as the dimension of the face can be at most: a proper face of a d-dimensional polytope has
  // dimension below d.
  bool face_basis(std::int64_t most) {
    edges = 0;
    inverse_norm = 0.0;
    if (shared.size() <= 1) return true;
    const int k = edges = static_cast<int>(chosen.size());
    if (static_cast<int>(shared.size()) != k + 1 && k != most) return false;
    edge.assign(static_cast<std::size_t>(k) * m, 0.0);
    edge_error = edge;
    const std::int64_t base = shared[0];
    for (int r = 0; r < k; r++) {
      const std::int64_t v = shared[chosen[r]];
      for (int c = 0; c < m; c++) {
        const double value = at(v)[c] - at(base)[c];
        edge[r * m + c] = value;
        edge_error[r * m + c] =
            (slack(v)[c] + slack(base)[c] + 0x1p-52 * std::fabs(value)) * (1 + 1e-12) + 1e-305;
      }
    }
    return invert(k);
  }

  bool invert(int k) {
    work = edge;
    column.clear();
    std::vector<char> used(m, 0), done(k, 0);
    for (int step = 0; step < k; step++) {
      int row = -1, col = -1;
      for (int r = 0; r < k; r++)
        for (int c = 0; c < m && !done[r]; c++)
          if (!used[c] &&
              (row < 0 || std::fabs(work[r * m + c]) > std::fabs(work[row * m + col]))) {
            row = r;
            col = c;
          }
      if (row < 0 || !(std::fabs(work[row * m + col]) > 0.0)) return false;
      done[row] = used[col] = 1;
      column.push_back(col);
      for (int r = 0; r < k; r++) {
        if (done[r]) continue;
        const double factor = work[r * m + col] / work[row * m + col];
        for (int c = 0; c < m; c++) work[r * m + c] -= factor * work[row * m + c];
      }
    }
    // Gauss-Jordan on the chosen columns
    const int w = 2 * k;
    work.assign(static_cast<std::size_t>(k) * w, 0.0);
    for (int r = 0; r < k; r++) {
      for (int c = 0; c < k; c++) work[r * w + c] = edge[r * m + column[c]];
      work[r * w + k + r] = 1.0;
    }
    for (int c = 0; c < k; c++) {
      int pivot = c;
      for (int r = c + 1; r < k; r++)
        if (std::fabs(work[r * w + c]) > std::fabs(work[pivot * w + c])) pivot = r;
      if (!(std::fabs(work[pivot * w + c]) > 0.0)) return false;
      for (int l = 0; l < w; l++) std::swap(work[c * w + l], work[pivot * w + l]);
      const double factor = 1.0 / work[c * w + c];
      for (int l = 0; l < w; l++) work[c * w + l] *= factor;
      for (int r = 0; r < k; r++) {
        if (r == c) continue;
        const double other = work[r * w + c];
        for (int l = 0; l < w; l++) work[r * w + l] -= other * work[c * w + l];
      }
    }
    // |I − R E| < 1/2 proves that E is regular, and |E⁻¹| ≤ |R| / (1 − |I − R E|)
    double residual = 0.0, size = 0.0;
    for (int r = 0; r < k; r++) {
      double line = 0.0, own = 0.0;
      for (int c = 0; c < k; c++) {
        double sum = r == c ? -1.0 : 0.0, bound = r == c ? 1.0 : 0.0, spread = 0.0;
        for (int l = 0; l < k; l++) {
          const double factor = work[r * w + k + l], value = edge[l * m + column[c]];
          sum += factor * value;
          bound += std::fabs(factor * value);
          spread += std::fabs(factor) * edge_error[l * m + column[c]];
        }
        line += std::fabs(sum) + (k + 3) * 0x1p-52 * bound + spread;
        own += std::fabs(work[r * w + k + c]);
      }
      residual = std::max(residual, line);
      size = std::max(size, own);
      if (!(line < 0.5)) return false;
    }
    inverse_norm = size / (1 - residual) * (1 + 1e-12);
    return true;
  }

  // w·x at a vertex with a bound of its error.
  void value(const double *w, std::int64_t v, double &sum, double &bound) const {
    double size = 0.0, spread = 0.0;
    sum = 0.0;
    for (int k = 0; k < m; k++) {
      if (w[k] == 0.0) continue;
      const double term = w[k] * at(v)[k];
      sum += term;
      size += std::fabs(term);
      spread += std::fabs(w[k]) * slack(v)[k];
    }
    bound = ((m + 4) * 0x1p-53 * size + spread) * (1 + 1e-10) + 1e-300;
  }

  // Whether the w with exactly 0 on the edges of the common face, which differs from the given one
  // in k columns by at most `move`, has the two sides strictly on its two sides.
  bool proved(const double *w) const {
    double move = 0.0;
    for (int r = 0; r < edges; r++) {
      double sum = 0.0, size = 0.0, spread = 0.0;
      for (int k = 0; k < m; k++) {
        const double term = w[k] * edge[r * m + k];
        sum += term;
        size += std::fabs(term);
        spread += std::fabs(w[k]) * edge_error[r * m + k];
      }
      const double own = std::fabs(sum) + ((m + 4) * 0x1p-53 * size + spread) * (1 + 1e-10);
      move = std::max(move, own + 1e-300);
    }
    move *= inverse_norm * (1 + 1e-10);
    double sum, bound;
    if (shared.empty()) {
      double low = INFINITY, high = -INFINITY;
      for (std::int64_t v : above) {
        value(w, v, sum, bound);
        if (!(bound < INFINITY)) return false;
        low = std::min(low, sum - bound * (1 + 1e-10) - 0x1p-52 * std::fabs(sum));
      }
      for (std::int64_t v : below) {
        value(w, v, sum, bound);
        if (!(bound < INFINITY)) return false;
        high = std::max(high, sum + bound * (1 + 1e-10) + 0x1p-52 * std::fabs(sum));
      }
      return low > high;
    }
    double base, base_bound;
    value(w, shared[0], base, base_bound);
    for (int side = 0; side < 2; side++)
      for (std::int64_t v : side ? below : above) {
        value(w, v, sum, bound);
        double shift = 0.0;
        for (int c = 0; c < edges; c++) {
          const int k = column[c];
          shift += std::fabs(at(v)[k] - at(shared[0])[k]) + slack(v)[k] + slack(shared[0])[k];
        }
        const double difference = side ? base - sum : sum - base;
        const double total = (bound + base_bound + move * shift * (1 + 1e-10)) * (1 + 1e-10) +
                             0x1p-51 * (std::fabs(sum) + std::fabs(base));
        if (!(difference > total)) return false;
      }
    return true;
  }
};

}  // namespace polyrank
