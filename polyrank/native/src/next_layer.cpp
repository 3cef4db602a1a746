// The rows of a layer on a region: of any number of coordinates, and of the few that cells with
// vertices have.
#include "path.hpp"

namespace polyrank {

template <int D> void next_layer(Path<D> &path, std::int64_t k) {
  const Network &net = path.net;
  const int d = path.dim.size();
  const std::int64_t a = net.unit_start(k - 1), b = net.unit_start(k), stride = path.dim.stride();
  const int n_in = static_cast<int>(net.units(k - 1)), n_out = static_cast<int>(net.units(k));
  for (int j = 0; j < n_in; j++) path.slope[j] = path.slope_of(a + j);
  const LayerMap map{net.weight.data + net.weight_start(k),
                     net.bias.data + b,
                     net.exact_weight(k),
                     net.exact_arithmetic(k),
                     static_cast<int>(net.constant_column < d + 1 ? net.constant_column : d),
                     n_in,
                     n_out};
  with_dimension(path.dim, [&](auto dim) {
    compose(dim, map, path.slope.data(),
            LayerRows{path.rows.data() + a * stride, &path.error[a], &path.power[a]},
            LayerRows{path.rows.data() + b * stride, &path.error[b], &path.power[b]},
            path.columns.data() + b, path.column_stride, path.factor.data(), path.magnitude.data());
  });
  const double rounding = gamma(d + 4);
  for (int i = 0; i < n_out; i++) {
    path.radius[b + i] = path.error[b + i] + rounding;
    path.exponent[b + i] = -1;
    if (net.exact_arithmetic(k))
      path.exponent[b + i] = path.power[b + i] != zero_row ? net.lsb(k) + path.power[b + i] : 0;
  }
  path.sets[static_cast<std::size_t>(k)].filled = 0;
  path.sets[static_cast<std::size_t>(k)].next = 0;
}

template void next_layer(Path<0> &, std::int64_t);
template void next_layer(Path<1> &, std::int64_t);
template void next_layer(Path<2> &, std::int64_t);
template void next_layer(Path<3> &, std::int64_t);
template void next_layer(Path<4> &, std::int64_t);

}  // namespace polyrank
