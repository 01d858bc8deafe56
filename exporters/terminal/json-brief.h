// A JSON value as it is shown in one line.
#pragma once

#include <string>
#include <string_view>

namespace oisp {

// Without white space between tokens, and at most about `most_bytes` of it; where the value is a
// string that holds JSON itself (arguments as OpenAI sends them), that JSON; another string bare. What
// is not JSON comes back as it is. The result is not made harmless.
std::string brief_json(std::string_view value, std::size_t most_bytes);

}  // namespace oisp
