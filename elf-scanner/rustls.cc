#include "elf-scanner/rustls.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <span>

#include "elf-scanner/boxed-call.h"
#include "elf-scanner/data-flow.h"
#include "elf-scanner/functions-around.h"
#include "elf-scanner/limits.h"
#include "elf-scanner/probe-point.h"

namespace oisp {
namespace {

// In RecordLayer::encrypt_outgoing, since 0.23; a plain assert, so it is in every build.
constexpr std::string_view kAssertion = "assertion failed: self.next_pre_encrypt_action() != PreEncryptAction::Refuse";

// The decrypter's box lies behind the encrypter's, and its sequence number behind the encrypter's.
constexpr std::uint64_t kBetweenBoxes = 16;
constexpr std::uint64_t kBetweenNumbers = 8;
// OutboundPlainMessage: 0 and one slice, or an array of slices, how many, first and end; its type behind them.
// InboundPlainMessage: the type behind the one slice. What the kernel side finds there it checks.
constexpr std::uint8_t kSlice = 8;
constexpr std::uint8_t kTypeBehindSlices = 32;
constexpr std::uint8_t kTypeBehindSlice = 16;

constexpr std::string_view kNoSeal = "rustls without symbols: the call that encrypts cannot be told apart";
constexpr std::string_view kNoOpen = "rustls without symbols: the call that decrypts was not found";
constexpr std::string_view kNotAtHand = "rustls without symbols: where it encrypts, the connection is not at hand";
constexpr std::string_view kTooMany = "rustls without symbols: there are too many copies of its record layer";

class Finder {
 public:
  Finder(const ElfImage& image, Decoder& decoder, oisp_scan_answer& answer)
      : image_(image), functions_(image, decoder, budget_), calls_(image, decoder, budget_), answer_(answer) {}

  Rustls find();

 private:
  [[nodiscard]] std::optional<std::uint64_t> find_assertion() const;
  [[nodiscard]] std::optional<BoxPlace> find_place(std::uint64_t assertion);
  template <typename Visit>
  void for_each_boxed_call(BoxPlace place, Visit&& visit);
  bool add_seal(const BoxedCall& call);
  void add_open(const BoxedCall& call);
  [[nodiscard]] oisp_layer layer(std::uint8_t slice, std::uint8_t type) const {
    return {.boxes = static_cast<std::uint8_t>(place_.box),
            .sequences = static_cast<std::uint8_t>(place_.number),
            .slice = slice,
            .type = type};
  }

  const ElfImage& image_;
  Budget budget_{.steps = kMostBoxSteps};
  FunctionsAround functions_;
  BoxedCalls calls_;
  BoxPlace place_;  // of the encrypter
  bool is_too_much_ = false;
  oisp_scan_answer& answer_;
};

oisp_argument in_register(std::uint8_t reg) { return {.kind = OISP_ARG_REGISTER, .reg = reg, .then = 0, .offset = 0}; }

std::optional<std::uint64_t> Finder::find_assertion() const {
  std::optional<std::uint64_t> address;
  image_.for_each_text([&](std::span<const std::uint8_t> text) {
    const void* found = ::memmem(text.data(), text.size(), kAssertion.data(), kAssertion.size());
    if (found != nullptr) address = image_.address_of(static_cast<const std::uint8_t*>(found));
    return address.has_value();
  });
  return address;
}

// Where the encrypter lies: in all functions that fail with the assertion alike.
std::optional<BoxPlace> Finder::find_place(std::uint64_t assertion) {
  Places places;
  image_.for_each_code([&](std::uint64_t address, std::span<const std::uint8_t> code) {
    for_each_address(address, code, [&](std::uint64_t site, std::uint64_t target) {
      if (target == assertion) places.add(site);
    });
  });
  functions_.look_for(places);
  std::optional<BoxPlace> found;
  bool is_one = true;
  for (std::size_t i = 0; i < places.count; ++i) {
    const auto function = functions_.find(i);
    if (!function) continue;
    calls_.for_each(*function, function->address, function->address + function->size, [&](const BoxedCall& call) {
      is_one = is_one && (!found || *found == call.place);
      found = call.place;
    });
  }
  // So that all distances of both boxes fit into one byte of an instruction.
  const bool fits = found && found->box + kBetweenBoxes + 8 < 128 && found->number + kBetweenNumbers < 128;
  return is_one && fits ? found : std::nullopt;
}

// Whether `code` has at `i` a 64-bit load (8b) or store (89) with a distance of one byte.
bool is_access(std::span<const std::uint8_t> code, std::size_t i, std::uint8_t what, std::uint64_t distance) {
  if (i == 0 || code.size() - i < 4 || code[i] != what || (code[i - 1] & 0xf8) != 0x48) return false;
  if ((code[i + 1] & 0xc0) != 0x40) return false;
  const std::size_t base_bytes = (code[i + 1] & 7) == 4 ? 1 : 0;
  return code[i + 2 + base_bytes] == distance;
}

bool has_access(std::span<const std::uint8_t> code, std::size_t from, std::size_t to, std::uint8_t what,
                std::uint64_t distance) {
  for (std::size_t i = from; i < std::min(to, code.size()); ++i) {
    if (is_access(code, i, what, distance)) return true;
  }
  return false;
}

// A cheap first look at where the table of a box's methods is read: object and number must be read near.
bool may_prepare(std::span<const std::uint8_t> code, std::size_t at, BoxPlace place) {
  constexpr std::size_t kNear = 64;
  constexpr std::size_t kFar = 128;
  const std::size_t near = at < kNear ? 0 : at - kNear;
  const std::size_t far = at < kFar ? 0 : at - kFar;
  return has_access(code, near, at + kNear, 0x8b, place.box) && has_access(code, far, at + kNear, 0x8b, place.number) &&
         has_access(code, near, at + 2 * kFar, 0x89, place.number);
}

// All calls through the box at `place`, in the whole program.
template <typename Visit>
void Finder::for_each_boxed_call(BoxPlace place, Visit&& visit) {
  constexpr std::uint64_t kMostBetween = 96;  // bytes from that load to the call
  Places places;
  image_.for_each_code([&](std::uint64_t address, std::span<const std::uint8_t> code) {
    for_each_byte(code, 0x8b, [&](std::size_t i) {
      if (is_access(code, i, 0x8b, place.box + 8) && may_prepare(code, i, place)) places.add(address + i - 1);
    });
  });
  is_too_much_ = is_too_much_ || places.is_full();
  functions_.look_for(places);
  std::uint64_t last = 0;
  for (std::size_t i = 0; i < places.count; ++i) {
    const auto function = functions_.find(i);
    if (!function) continue;
    const std::uint64_t from = places.places[i];
    calls_.for_each(*function, from, from + kMostBetween, [&](const BoxedCall& call) {
      if (call.place != place || call.address <= last) return;
      last = call.address;
      visit(call);
    });
  }
}

bool Finder::add_seal(const BoxedCall& call) {
  if (!call.before) return false;
  oisp_site site{};
  site.role = OISP_ROLE_SEAL;
  site.session = in_register(call.before->keeper);
  site.buffer = in_register(call.before->message);
  site.count = in_register(call.before->number);
  site.layer = layer(kSlice, kTypeBehindSlices);
  add_site(image_, call.before->address, site, answer_);
  return true;
}

void Finder::add_open(const BoxedCall& call) {
  oisp_site site{};
  site.role = OISP_ROLE_OPEN;
  if (call.keeper) site.session = in_register(*call.keeper);
  site.length = in_register(kRdi);
  site.guard = in_register(kRsi);
  site.buffer = in_register(kRdx);
  site.count = in_register(kRcx);
  site.layer = layer(0, 0);
  add_site(image_, call.address, site, answer_);
  oisp_site behind{};
  behind.role = OISP_ROLE_OPENED;
  behind.layer = layer(0, kTypeBehindSlice);
  add_site(image_, call.end, behind, answer_);
}

Rustls Finder::find() {
  const auto assertion = find_assertion();
  if (!assertion || image_.machine() != Machine::x86_64) return {};
  const auto refuse = [&](std::string_view reason) {
    answer_.site_count = 0;
    return Rustls{.is_there = true, .refusal = reason};
  };
  const auto place = find_place(*assertion);
  if (!place) return refuse(kNoSeal);
  place_ = *place;
  bool are_at_hand = true;
  for_each_boxed_call(place_, [&](const BoxedCall& call) { are_at_hand = add_seal(call) && are_at_hand; });
  if (!are_at_hand) return refuse(kNotAtHand);
  const std::uint32_t seals = answer_.site_count;
  if (seals == 0) return refuse(kNoSeal);
  const BoxPlace decrypter{.box = place_.box + kBetweenBoxes, .number = place_.number + kBetweenNumbers};
  for_each_boxed_call(decrypter, [&](const BoxedCall& call) { add_open(call); });
  if (answer_.site_count == seals) return refuse(kNoOpen);
  if (is_too_much_ || budget_.steps == 0 || answer_.site_count + 2 > OISP_SCAN_MOST_SITES) return refuse(kTooMany);
  return {.is_there = true, .refusal = {}};
}

}  // namespace

Rustls find_rustls_sites(const ElfImage& image, Decoder& decoder, oisp_scan_answer& answer) {
  return Finder(image, decoder, answer).find();
}

}  // namespace oisp
