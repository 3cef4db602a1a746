// The search whose bounds are rows like all others.
#include "dictionary_program.hpp"
#include "search_of.hpp"

namespace polyrank {

std::unique_ptr<AnySearch> rows_search(const Network &net, std::int64_t d, SearchSizes sizes) {
  return std::make_unique<SearchOf<DictionaryProgram>>(net, d, sizes);
}

}  // namespace polyrank
