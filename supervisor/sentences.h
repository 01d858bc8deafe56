// What a role says in a word when it cannot work here, as a sentence for people: what it is, and what to do.
#pragma once

#include <string>
#include <string_view>

namespace oisp {

// `word` as the role said it, `detail` what the system said; of a word that is not known, the detail alone.
std::string sentence_of(std::string_view word, std::string_view detail);

}  // namespace oisp
