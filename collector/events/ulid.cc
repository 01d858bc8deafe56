#include "collector/events/ulid.h"

#include <sodium.h>

#include <algorithm>

namespace oisp {
namespace {

constexpr char kAlphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";  // Crockford's base 32
constexpr std::size_t kLength = 26;

}  // namespace

void UlidMaker::draw() {
  if (pool_used_ + random_.size() > pool_.size()) {
    ::randombytes_buf(pool_.data(), pool_.size());
    pool_used_ = 0;
  }
  std::copy_n(pool_.begin() + pool_used_, random_.size(), random_.begin());
  pool_used_ += random_.size();
}

std::string UlidMaker::make(std::uint64_t ms) {
  if (ms > last_ms_) {
    last_ms_ = ms;
    draw();
    random_[0] &= 0x7f;  // room to count upwards
  } else {
    for (std::size_t i = random_.size(); i-- > 0;) {
      if (++random_[i] != 0) break;
    }
  }
  std::array<unsigned char, 16> bytes{};
  for (std::size_t i = 0; i < 6; ++i) bytes[i] = static_cast<unsigned char>(last_ms_ >> (8 * (5 - i)));
  std::ranges::copy(random_, bytes.begin() + 6);
  // 128 bits in 26 digits of 5: two zero bits lead.
  std::string text(kLength, '0');
  for (std::size_t digit = 0; digit < kLength; ++digit) {
    unsigned value = 0;
    for (std::size_t bit = 0; bit < 5; ++bit) {
      const std::size_t at = digit * 5 + bit;
      const unsigned set = at < 2 ? 0U : (bytes[(at - 2) / 8] >> (7 - (at - 2) % 8)) & 1U;
      value = value << 1 | set;
    }
    text[digit] = kAlphabet[value];
  }
  return text;
}

}  // namespace oisp
