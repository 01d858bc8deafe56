#include "collector/http/exchange.h"

#include <strings.h>

#include "base/bug.h"

namespace oisp {
namespace {

bool same_name(std::string_view a, std::string_view b) {
  return a.size() == b.size() && ::strncasecmp(a.data(), b.data(), a.size()) == 0;
}

// Where the path begins in a target of absolute form ("https://host/path"); npos in the other forms.
std::size_t find_authority(std::string_view target) {
  const std::size_t scheme_end = target.find("://");
  if (scheme_end == std::string_view::npos || target.find_first_of("/?#") < scheme_end) {
    return std::string_view::npos;
  }
  return scheme_end + 3;
}

}  // namespace

std::string_view missing_word(Missing missing) {
  switch (missing) {
    case Missing::joined_late:
      return "joined_late";
    case Missing::stream_ended:
      return "stream_ended";
    case Missing::cut:
      return "cut";
    case Missing::lost:
      return "lost";
    case Missing::body_too_large:
      return "body_too_large";
    case Missing::answered_early:
      return "answered_early";
    case Missing::malformed:
      return "malformed";
    case Missing::encoding_not_decoded:
      return "encoding_not_decoded";
    case Missing::encoding_broken:
      return "encoding_broken";
    case Missing::over_limit:
      return "over_limit";
    case Missing::unseen_call:
      return "unseen_call";
  }
  OISP_BUG_IF(true);
}

std::optional<std::string_view> HttpHeaders::find(std::string_view name) const {
  for (const HttpHeader& header : all_) {
    if (same_name(header.name, name)) {
      return header.value;
    }
  }
  return std::nullopt;
}

std::string_view HttpRequest::host() const {
  const std::string_view text = target;
  if (method == "CONNECT") {
    return text;
  }
  if (const std::size_t begin = find_authority(text); begin != std::string_view::npos) {
    const std::string_view rest = text.substr(begin);
    return rest.substr(0, rest.find_first_of("/?#"));
  }
  return headers.find("host").value_or(std::string_view{});
}

std::string_view HttpRequest::path_and_query() const {
  const std::string_view text = target;
  const std::size_t begin = find_authority(text);
  if (begin == std::string_view::npos) {
    return text;
  }
  const std::size_t path = text.find_first_of("/?#", begin);
  return path == std::string_view::npos ? "/" : text.substr(path);
}

std::string_view HttpRequest::path() const {
  const std::string_view all = path_and_query();
  return all.substr(0, all.find_first_of("?#"));
}

std::string_view HttpResponse::content_type() const {
  std::string_view value = headers.find("content-type").value_or(std::string_view{});
  value = value.substr(0, value.find(';'));
  while (!value.empty() && value.back() == ' ') {
    value.remove_suffix(1);
  }
  return value;
}

}  // namespace oisp
