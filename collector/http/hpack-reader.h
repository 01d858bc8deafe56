// The header blocks of one direction of an HTTP/2 connection (RFC 7541), by libnghttp2's inflater; goes on
// where the table that they refer to is not known.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

struct nghttp2_hd_inflater;

namespace oisp {

class HpackReader {
 public:
  // `known`: false where the name or the value refers to a part of the table that was never seen.
  using Visit = std::function<void(std::string_view name, std::string_view value, bool known)>;

  enum class Result : std::uint8_t {
    whole,
    over_limit,  // what lies beyond the limits was not told
    broken,      // malformed, or not to be read; the table is not known from here on
  };

  // Of one block no more is told than this many headers and bytes of names and values.
  HpackReader(std::size_t most_headers, std::size_t most_bytes);

  // The receiver allows a table of this size (SETTINGS_HEADER_TABLE_SIZE); the sender may use it.
  void allow_table(std::uint32_t bytes);
  // What the table holds is not known from here on: the connection was joined late, or a block was lost.
  void forget();
  // One whole block; nothing is told of one that is broken.
  Result read(std::string_view block, const Visit& visit);

 private:
  enum class Outcome : std::uint8_t { fine, out_of_table, broken };

  void renew(std::uint32_t table_bytes);
  Outcome inflate(std::string_view block, const Visit& visit);

  struct Free {
    void operator()(nghttp2_hd_inflater* inflater) const;
  };
  std::unique_ptr<nghttp2_hd_inflater, Free> inflater_;
  std::size_t most_headers_;
  std::size_t most_bytes_;
  std::uint32_t table_bytes_ = 0;
  bool forgotten_ = false;
};

}  // namespace oisp
