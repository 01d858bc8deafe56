// Why the helper cannot work here, as a sentence for people: what it is, and what to do.
#pragma once

#include <string>
#include <string_view>

namespace oisp {

struct Refusal {
  int exit_status;  // of the command line: 3 where a right is missing, 4 where this kernel lacks something
  std::string sentence;
};

// `what`: a word, or what was tried, as the helper said it; `error`: errno, or 0.
Refusal refusal_of(std::string_view what, int error);

}  // namespace oisp
