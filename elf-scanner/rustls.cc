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
// Builds of all versions have one of these: where plaintext is kept, and what an error says of itself.
constexpr std::array<std::string_view, 2> kOldTexts = {"received plaintext buffer full",
                                                       "the supplied max_fragment_size was too small or large"};
// With this number of records under one key a connection is to end. As a comparison has it: sign-extended.
constexpr std::array<std::uint8_t, 4> kSoftLimit = {0x00, 0x00, 0xff, 0xff};

// The decrypter's box lies behind the encrypter's, and its sequence number behind the encrypter's. So its number is
// nearer to its box, wherever in its keeper the layer lies.
constexpr std::uint64_t kBetweenBoxes = 16;
constexpr std::uint64_t kBetweenNumbers = 8;
constexpr std::uint64_t kNearer = kBetweenBoxes - kBetweenNumbers;

// Distances in messages, as a site has them. What the kernel side finds there it checks.
struct Messages {
  std::uint8_t slice;
  std::uint8_t type;
  std::uint8_t vector;
  std::uint8_t type_behind_length;
};
// OutboundPlainMessage: 0 and one slice, or an array of slices, how many, first and end; its type behind them.
// InboundPlainMessage: one slice, its type behind it.
constexpr Messages kMessages = {.slice = 8, .type = 32, .vector = 0, .type_behind_length = 8};
// Before 0.23. BorrowedPlainMessage: one slice, version, type. OpaqueMessage and PlainMessage: a vector of their own,
// version, type.
constexpr Messages kOldMessages = {.slice = 0, .type = 20, .vector = 16, .type_behind_length = 12};

constexpr std::string_view kNoSeal = "rustls without symbols: the call that encrypts cannot be told apart";
constexpr std::string_view kNoOpen = "rustls without symbols: the call that decrypts was not found";
constexpr std::string_view kNotAtHand = "rustls without symbols: where it encrypts, the connection is not at hand";
constexpr std::string_view kOtherMachine = "rustls without symbols: found on x86-64 only";
constexpr std::string_view kTooMany = "rustls without symbols: there are too many copies of its record layer";

class Finder {
 public:
  Finder(const ElfImage& image, Decoder& decoder, oisp_scan_answer& answer)
      : image_(image), functions_(image, decoder, budget_), calls_(image, decoder, budget_), answer_(answer) {}

  Rustls find();

 private:
  [[nodiscard]] std::optional<std::uint64_t> find_text(std::string_view wanted) const;
  [[nodiscard]] std::optional<BoxPlace> find_place(std::uint64_t assertion);
  [[nodiscard]] Places find_limits() const;
  [[nodiscard]] std::optional<std::uint64_t> find_reach(const Places& limits);
  std::string_view find_calls(std::uint64_t assertion);
  std::string_view find_old_calls();
  void add(const BoxedCall& call);
  [[nodiscard]] std::string_view judge() const;
  template <typename Visit>
  void for_each_call_around(const Places& places, Visit&& visit);
  template <typename Visit>
  void for_each_boxed_call(BoxPlace encrypter, Visit&& visit);
  void add_seal(const BoxedCall& call);
  void add_open(const BoxedCall& call);

  const ElfImage& image_;
  Budget budget_{.steps = kMostBoxSteps};
  FunctionsAround functions_;
  BoxedCalls calls_;
  std::uint64_t reach_ = 0;  // from the encrypter's box to its number
  Messages messages_ = kMessages;
  std::size_t seals_ = 0;
  std::size_t opens_ = 0;
  bool are_at_hand_ = true;
  bool has_calls_ = true;
  bool is_too_much_ = false;

  oisp_scan_answer& answer_;
};

oisp_argument in_register(std::uint8_t reg) { return {.kind = OISP_ARG_REGISTER, .reg = reg, .then = 0, .offset = 0}; }

std::optional<std::uint64_t> Finder::find_text(std::string_view wanted) const {
  std::optional<std::uint64_t> address;
  image_.for_each_text([&](std::span<const std::uint8_t> text) {
    const void* found = ::memmem(text.data(), text.size(), wanted.data(), wanted.size());
    if (found != nullptr) address = image_.address_of(static_cast<const std::uint8_t*>(found));
    return address.has_value();
  });
  return address;
}

BoxPlace decrypter_of(BoxPlace encrypter) {
  return {.box = encrypter.box + kBetweenBoxes, .number = encrypter.number + kBetweenNumbers};
}

// All distances of both boxes fit into one byte of an instruction.
bool is_near(BoxPlace encrypter) {
  const BoxPlace decrypter = decrypter_of(encrypter);
  return decrypter.box + 8 < 128 && decrypter.number < 128;
}

// All boxed calls of the functions that the places are in.
template <typename Visit>
void Finder::for_each_call_around(const Places& places, Visit&& visit) {
  functions_.look_for(places);
  std::uint64_t last = 0;  // the function before: several places may lie in one
  for (std::size_t i = 0; i < places.count; ++i) {
    const auto function = functions_.find(i);
    if (!function || function->address == last) continue;
    last = function->address;
    calls_.for_each(*function, function->address, function->address + function->size, visit);
  }
}

// Where the encrypter lies: in all functions that fail with the assertion alike.
std::optional<BoxPlace> Finder::find_place(std::uint64_t assertion) {
  Places places;
  image_.for_each_code([&](std::uint64_t address, std::span<const std::uint8_t> code) {
    for_each_address(address, code, [&](std::uint64_t site, std::uint64_t target) {
      if (target == assertion) places.add(site);
    });
  });
  std::optional<BoxPlace> found;
  bool is_one = true;
  for_each_call_around(places, [&](const BoxedCall& call) {
    is_one = is_one && (!found || *found == call.place);
    found = call.place;
  });
  return is_one && found && is_near(*found) ? found : std::nullopt;
}

// Whether the instruction whose code is at `i`, behind its prefix, has the limit as its number.
bool has_limit(std::span<const std::uint8_t> code, std::size_t i) {
  if (i == 0 || code.size() - i < 8 || (code[i - 1] & 0xf8) != 0x48) return false;
  const std::uint8_t form = code[i + 1];
  const bool is_in_memory = (form & 0xf8) == 0x78 && (form & 7) != 4;  // one byte of distance
  if (!is_in_memory && form < 0xf8) return false;
  return std::equal(kSoftLimit.begin(), kSoftLimit.end(),
                    code.begin() + static_cast<std::ptrdiff_t>(i) + (is_in_memory ? 3 : 2));
}

Places Finder::find_limits() const {
  constexpr std::uint8_t kCompare = 0x81;
  Places limits;
  image_.for_each_code([&](std::uint64_t address, std::span<const std::uint8_t> code) {
    for_each_byte(code, kCompare, [&](std::size_t i) {
      if (has_limit(code, i)) limits.add(address + i - 1);
    });
  });
  return limits;
}

// Functions that compare a number with the limit call through both boxes, and through no others. From the encrypter's
// box it is farther to the number.
std::optional<std::uint64_t> Finder::find_reach(const Places& limits) {
  std::array<std::optional<std::uint64_t>, 2> found;
  bool are_two = true;
  for_each_call_around(limits, [&](const BoxedCall& call) {
    for (auto& known : found) {
      if (!known) known = call.place.number - call.place.box;
      if (*known == call.place.number - call.place.box) return;
    }
    are_two = false;
  });
  has_calls_ = found[0].has_value();
  if (!are_two || !found[0] || !found[1]) return std::nullopt;
  if (*found[0] < *found[1]) std::swap(found[0], found[1]);
  return *found[0] == *found[1] + kNearer ? found[0] : std::nullopt;
}

// Whether `code` has at `i` a 64-bit load (8b) or store (89) with a distance of one byte, or of none.
bool is_access(std::span<const std::uint8_t> code, std::size_t i, std::uint8_t what, std::uint64_t distance) {
  if (i == 0 || code.size() - i < 4 || code[i] != what || (code[i - 1] & 0xf8) != 0x48) return false;
  const std::uint8_t form = code[i + 1] & 0xc7;
  if ((form & 0xc0) == 0) return form != 5 && distance == 0;
  const std::size_t base_bytes = (form & 7) == 4 ? 1 : 0;
  return (form & 0xc0) == 0x40 && code[i + 2 + base_bytes] == distance;
}

bool has_access(std::span<const std::uint8_t> code, std::size_t from, std::size_t to, std::uint8_t what,
                std::uint64_t distance) {
  for (std::size_t i = from; i < std::min(to, code.size()); ++i) {
    if (is_access(code, i, what, distance)) return true;
  }
  return false;
}

// What may be a call through a register or memory.
bool has_indirect_call(std::span<const std::uint8_t> code, std::size_t from, std::size_t to) {
  for (std::size_t i = from; i + 1 < std::min(to, code.size()); ++i) {
    if (code[i] == 0xff && (code[i + 1] & 0x38) == 0x10) return true;
  }
  return false;
}

constexpr std::uint64_t kMostBetween = 96;  // bytes from where a box's methods are read to the call

// A cheap first look at where the table of a box's methods may be read: object and number must be read near, and the
// number be written.
bool may_prepare(std::span<const std::uint8_t> code, std::size_t at, BoxPlace place) {
  constexpr std::size_t kNear = 64;
  constexpr std::size_t kFar = 128;
  if (!is_access(code, at, 0x8b, place.box + 8)) return false;
  const std::size_t near = at < kNear ? 0 : at - kNear;
  const std::size_t far = at < kFar ? 0 : at - kFar;
  return has_access(code, near, at + kNear, 0x8b, place.box) && has_indirect_call(code, at, at + kMostBetween) &&
         has_access(code, far, at + kNear, 0x8b, place.number) &&
         has_access(code, near, at + 2 * kFar, 0x89, place.number);
}

// All calls through both boxes, in the whole program.
template <typename Visit>
void Finder::for_each_boxed_call(BoxPlace encrypter, Visit&& visit) {
  const BoxPlace decrypter = decrypter_of(encrypter);
  const auto may_be = [&](std::span<const std::uint8_t> code, std::size_t i) {
    return may_prepare(code, i, encrypter) || may_prepare(code, i, decrypter);
  };
  Places places;
  image_.for_each_code([&](std::uint64_t address, std::span<const std::uint8_t> code) {
    for_each_byte(code, 0x8b, [&](std::size_t i) {
      if (may_be(code, i)) places.add(address + i - 1);
    });
  });
  is_too_much_ = places.is_full();
  functions_.look_for(places);
  std::uint64_t last = 0;
  for (std::size_t i = 0; i < places.count; ++i) {
    const auto function = functions_.find(i);
    if (!function) continue;
    const std::uint64_t from = places.places[i];
    calls_.for_each(*function, from, from + kMostBetween, [&](const BoxedCall& call) {
      if ((call.place != encrypter && call.place != decrypter) || call.address <= last) return;
      last = call.address;
      visit(call);
    });
  }
}

oisp_layer layer_of(BoxPlace encrypter, std::uint8_t slice, std::uint8_t type) {
  return {.boxes = static_cast<std::uint8_t>(encrypter.box),
          .sequences = static_cast<std::uint8_t>(encrypter.number),
          .slice = slice,
          .type = type};
}

void Finder::add_seal(const BoxedCall& call) {
  oisp_site site{};
  site.role = OISP_ROLE_SEAL;
  site.layer = layer_of(call.place, messages_.slice, messages_.type);
  // Where a message is always one slice it is made just before the call, and is there only then.
  const bool is_late = messages_.slice == 0;
  are_at_hand_ = are_at_hand_ && (is_late ? call.keeper.has_value() : call.before.has_value());
  if (!are_at_hand_) return;
  ++seals_;
  site.session = in_register(is_late ? *call.keeper : call.before->keeper);
  site.buffer = in_register(is_late ? kRdx : call.before->message);
  site.count = in_register(is_late ? kRcx : call.before->number);
  add_site(image_, is_late ? call.address : call.before->address, site, answer_);
}

void Finder::add_open(const BoxedCall& call) {
  ++opens_;
  oisp_site site{};
  site.role = OISP_ROLE_OPEN;
  if (call.keeper) site.session = in_register(*call.keeper);
  site.length = in_register(kRdi);
  site.guard = in_register(kRsi);
  site.buffer = in_register(kRdx);
  site.count = in_register(kRcx);
  const BoxPlace encrypter{.box = call.place.box - kBetweenBoxes, .number = call.place.number - kBetweenNumbers};
  site.layer = layer_of(encrypter, messages_.vector, 0);
  add_site(image_, call.address, site, answer_);
  oisp_site behind{};
  behind.role = OISP_ROLE_OPENED;
  behind.layer = layer_of(encrypter, messages_.vector, messages_.type_behind_length);
  add_site(image_, call.end, behind, answer_);
}

void Finder::add(const BoxedCall& call) {
  constexpr std::uint64_t kMost = 255;  // that a site has room for
  is_too_much_ = is_too_much_ || call.place.number > kMost || call.place.box > kMost;
  if (call.place.number - call.place.box == reach_) {
    add_seal(call);
  } else {
    add_open(call);
  }
}

std::string_view Finder::find_calls(std::uint64_t assertion) {
  const auto encrypter = find_place(assertion);
  if (!encrypter) return kNoSeal;
  reach_ = encrypter->number - encrypter->box;
  for_each_boxed_call(*encrypter, [&](const BoxedCall& call) { add(call); });
  return {};
}

std::string_view Finder::find_old_calls() {
  messages_ = kOldMessages;
  const Places limits = find_limits();
  const auto reach = find_reach(limits);
  if (!reach) return kNoSeal;
  reach_ = *reach;
  for_each_call_around(limits, [&](const BoxedCall& call) { add(call); });
  return {};
}

// Why what was found cannot be used, if so.
std::string_view Finder::judge() const {
  if (is_too_much_ || budget_.steps == 0 || answer_.site_count + 2 > OISP_SCAN_MOST_SITES) return kTooMany;
  if (!are_at_hand_) return kNotAtHand;
  if (seals_ == 0) return kNoSeal;
  return opens_ == 0 ? kNoOpen : std::string_view{};
}

Rustls Finder::find() {
  const auto assertion = find_text(kAssertion);
  const auto is_there = [&](std::string_view text) { return find_text(text).has_value(); };
  if (!assertion && std::none_of(kOldTexts.begin(), kOldTexts.end(), is_there)) return {};
  if (image_.machine() != Machine::x86_64) return {.is_there = true, .refusal = kOtherMachine};
  std::string_view refusal = assertion ? find_calls(*assertion) : find_old_calls();
  if (!has_calls_) return {};  // some of its texts, and no connections
  if (refusal.empty()) refusal = judge();
  if (!refusal.empty()) answer_.site_count = 0;
  return {.is_there = true, .refusal = refusal};
}

}  // namespace

Rustls find_rustls_sites(const ElfImage& image, Decoder& decoder, oisp_scan_answer& answer) {
  return Finder(image, decoder, answer).find();
}

}  // namespace oisp
