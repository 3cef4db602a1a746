#include "morse.hpp"

#include <algorithm>
#include <memory>
#include <new>

#include "interface.hpp"

using polyrank::Array;
using polyrank::Incidences;
using polyrank::MorseBoundary;

using Integers = Array<const std::int64_t, 1>;

// 1, or 0 where memory ran out.
POLYRANK_API std::int64_t polyrank_morse_match(Integers face_pointer, Integers faces,
                                               Integers face_number, Integers coface_pointer,
                                               Integers cofaces, Integers coface_number,
                                               Integers label, Array<std::int64_t, 1> mate,
                                               Array<std::int64_t, 1> key) {
  try {
    const Incidences down{face_pointer, faces, face_number};
    const Incidences up{coface_pointer, cofaces, coface_number};
    polyrank::Matching(down, up, label, mate, key).run();
    return 1;
  } catch (const std::bad_alloc &) {
    return 0;
  }
}

// The boundary of the critical cells; null where memory ran out. size is -1 where it does not fit.
POLYRANK_API void *polyrank_morse_boundary_new(Integers face_pointer, Integers faces,
                                               Integers face_number, Integers mate, Integers order,
                                               Integers cell_at, Integers dimension,
                                               Integers critical, Array<std::int64_t, 1> size) {
  try {
    auto boundary = std::make_unique<MorseBoundary>();
    const bool fits = boundary->run({face_pointer, faces, face_number}, mate, order, cell_at,
                                    dimension, critical);
    size(0) = fits ? static_cast<std::int64_t>(boundary->column.size()) : -1;
    return boundary.release();
  } catch (const std::bad_alloc &) {
    return nullptr;
  }
}

POLYRANK_API void polyrank_morse_boundary_free(void *boundary) {
  delete static_cast<MorseBoundary *>(boundary);
}

POLYRANK_API void polyrank_morse_boundary_entries(const void *boundary,
                                                  Array<std::int64_t, 2> out) {
  const auto &b = *static_cast<const MorseBoundary *>(boundary);
  std::copy(b.column.begin(), b.column.end(), out.row(0));
  std::copy(b.row.begin(), b.row.end(), out.row(1));
  std::copy(b.value.begin(), b.value.end(), out.row(2));
}
