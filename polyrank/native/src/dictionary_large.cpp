// The dictionary search in more dimensions, and in any number of them.
#include "search_of.hpp"

namespace polyrank {

std::unique_ptr<AnySearch> large_search(const Network &net, std::int64_t d, SearchSizes sizes) {
  switch (d) {
#ifndef POLYRANK_ANY_DIMENSION
    case 7: return std::make_unique<SearchOf<DictionaryProgram<7>>>(net, d, sizes);
    case 8: return std::make_unique<SearchOf<DictionaryProgram<8>>>(net, d, sizes);
    case 9: return std::make_unique<SearchOf<DictionaryProgram<9>>>(net, d, sizes);
    case 10: return std::make_unique<SearchOf<DictionaryProgram<10>>>(net, d, sizes);
#endif
    default: return std::make_unique<SearchOf<DictionaryProgram<0>>>(net, d, sizes);
  }
}

}  // namespace polyrank
