#include "collector/http/hpack-reader.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/bug.h"
#include "collector/http/limits.h"

namespace oisp {
namespace {

constexpr std::uint32_t kFirstTable = 4096;  // RFC 9113, section 6.5.2

// Stands for an entry that was never seen: no header has such a name.
constexpr std::string_view kUnknown = "?";
// RFC 7541, section 4.1: what an entry takes besides its name and value.
constexpr std::uint32_t kEntryOverhead = 32;

std::string_view view_of(const std::uint8_t* bytes, std::size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

// A block that sets the table's size and fills it with entries that are unknown. An encoder counts its
// entries from the newest on, so what it adds after this has the same place here as in its own table,
// and whatever lies behind is one of these.
std::string filling_block(std::uint32_t table_bytes) {
  std::string block(1, '\x3f');  // section 6.3: a size update, its integer continued
  std::uint32_t rest = table_bytes - 31;
  for (; rest >= 128; rest /= 128) block += static_cast<char>(rest % 128 + 128);
  block += static_cast<char>(rest);
  const std::uint32_t entries = table_bytes / (kEntryOverhead + static_cast<std::uint32_t>(kUnknown.size()));
  for (std::uint32_t i = 0; i < entries; ++i) {
    block.append("\x40\x01", 2).append(kUnknown).append(1, '\0');  // section 6.2.1, a new name, an empty value
  }
  return block;
}

}  // namespace

void HpackReader::Free::operator()(nghttp2_hd_inflater* inflater) const { ::nghttp2_hd_inflate_del(inflater); }

HpackReader::HpackReader(std::size_t most_headers, std::size_t most_bytes)
    : most_headers_(most_headers), most_bytes_(most_bytes) {
  renew(kFirstTable);
}

void HpackReader::renew(std::uint32_t table_bytes) {
  nghttp2_hd_inflater* made = nullptr;
  OISP_BUG_IF(::nghttp2_hd_inflate_new(&made) != 0);  // only without memory
  inflater_.reset(made);
  table_bytes_ = table_bytes;
  if (table_bytes != kFirstTable) (void)::nghttp2_hd_inflate_change_table_size(made, table_bytes);
}

void HpackReader::allow_table(std::uint32_t bytes) {
  bytes = std::min(bytes, kMostHpackTable);
  if (bytes <= table_bytes_) return;  // a sender that may use less says how much it does use
  table_bytes_ = bytes;
  (void)::nghttp2_hd_inflate_change_table_size(inflater_.get(), bytes);
}

void HpackReader::forget() {
  renew(table_bytes_);
  forgotten_ = true;
  OISP_BUG_IF(inflate(filling_block(table_bytes_), [](auto, auto, bool) {}) != Outcome::fine);
}

HpackReader::Outcome HpackReader::inflate(std::string_view block, const Visit& visit) {
  const auto* next = reinterpret_cast<const std::uint8_t*>(block.data());
  std::size_t left = block.size();
  for (;;) {
    nghttp2_nv header{};
    int flags = 0;
    const auto taken = ::nghttp2_hd_inflate_hd2(inflater_.get(), &header, &flags, next, left, 1);
    if (taken < 0) return taken == NGHTTP2_ERR_HEADER_COMP ? Outcome::out_of_table : Outcome::broken;
    next += taken;
    left -= static_cast<std::size_t>(taken);
    if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0) {
      const std::string_view name = view_of(header.name, header.namelen);
      visit(name, view_of(header.value, header.valuelen), name != kUnknown);
    }
    if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0) break;
    if ((flags & NGHTTP2_HD_INFLATE_EMIT) == 0 && left == 0) return Outcome::broken;
  }
  (void)::nghttp2_hd_inflate_end_headers(inflater_.get());
  return Outcome::fine;
}

HpackReader::Result HpackReader::read(std::string_view block, const Visit& visit) {
  struct Header {
    std::string name, value;
    bool known;
  };
  // Told only when the block is seen to be sound: half a list is not to be mistaken for a whole one.
  std::vector<Header> headers;
  std::size_t bytes = 0;
  bool over = false;
  const auto collect = [&](std::string_view name, std::string_view value, bool known) {
    bytes += name.size() + value.size();
    over = over || bytes > most_bytes_ || headers.size() == most_headers_;
    if (!over) headers.push_back({std::string(name), std::string(value), known});
  };
  Outcome outcome = inflate(block, collect);
  if (outcome == Outcome::out_of_table && forgotten_ && table_bytes_ < kMostHpackTable) {
    // It refers to more than the table could hold that was taken for the sender's: it is larger.
    table_bytes_ = kMostHpackTable;
    forget();
    headers.clear();
    bytes = 0;
    over = false;
    outcome = inflate(block, collect);
  }
  if (outcome != Outcome::fine) {
    forget();
    return Result::broken;
  }
  for (const Header& header : headers) visit(header.name, header.value, header.known);
  return over ? Result::over_limit : Result::whole;
}

}  // namespace oisp
