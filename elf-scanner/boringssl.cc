#include "elf-scanner/boringssl.h"

#include <algorithm>
#include <array>
#include <bit>
#include <initializer_list>

#include "elf-scanner/data-flow.h"
#include "elf-scanner/error-sites.h"
#include "elf-scanner/function-flow.h"
#include "elf-scanner/limits.h"
#include "elf-scanner/probe-point.h"
#include "elf-scanner/takers.h"

namespace oisp {
namespace {

// It is C++ since 2017.
constexpr std::string_view kFileName = "ssl_lib.c";

// <openssl/err.h>, <openssl/ssl.h>.
constexpr std::uint64_t kLibrarySsl = 16;
constexpr std::uint64_t kShouldNotHaveBeenCalled = 66;
constexpr std::uint64_t kBadLength = 111;
constexpr std::uint64_t kConnectionTypeNotSet = 134;
constexpr std::uint64_t kNullSslCtx = 185;
constexpr std::uint64_t kInvalidServerName = 213;
constexpr std::uint64_t kHandshakeFailure = 215;
constexpr std::uint64_t kUninitialized = 226;
constexpr std::uint64_t kDataOnShutdown = 291;

constexpr std::string_view kTooLarge = "BoringSSL without symbols: its functions are too large to follow";
constexpr std::string_view kOtherLines =
    "BoringSSL without symbols: not the usual order of errors in its source (very old, changed, or there twice)";
constexpr std::string_view kNoWrite = "BoringSSL without symbols: SSL_write is not one function here";
constexpr std::string_view kReadInlined = "BoringSSL without symbols: SSL_read is inlined into its caller";
constexpr std::string_view kOnlyPeek =
    "BoringSSL without symbols: SSL_peek was found, but not where SSL_read was inlined into its callers";
constexpr std::string_view kManyReads = "BoringSSL without symbols: SSL_read is not one function here";

// A set of line numbers in rising order.
class Lines {
 public:
  void add(std::uint64_t line) {
    const auto end = lines_.begin() + static_cast<std::ptrdiff_t>(count_);
    if (std::find(lines_.begin(), end, line) != end || count_ == lines_.size()) return;
    lines_[count_++] = line;
    std::sort(lines_.begin(), lines_.begin() + static_cast<std::ptrdiff_t>(count_));
  }
  [[nodiscard]] std::size_t size() const { return count_; }
  std::uint64_t operator[](std::size_t i) const { return lines_[i]; }

 private:
  std::array<std::uint64_t, 16> lines_{};
  std::size_t count_ = 0;
};

// Where in a call to the error function its arguments are: the optimiser may have dropped the unused one.
struct Positions {
  std::size_t reason = 0;
  std::size_t file = 0;
  std::size_t line = 0;
};

class Finder {
 public:
  Finder(const ElfImage& image, Decoder& decoder, const ErrorSites& errors, std::uint64_t error_function,
         oisp_scan_answer& answer)
      : image_(image),
        decoder_(decoder),
        errors_(errors),
        error_function_(error_function),
        targets_(image, errors.sites()),
        answer_(answer) {}

  BoringSsl find();

 private:
  static constexpr std::size_t kMostFunctions = 64;
  static constexpr std::uint64_t kAnyLine = ~std::uint64_t{0};

  void follow_all();
  [[nodiscard]] bool find_positions();
  [[nodiscard]] std::span<const FunctionFlow> functions() const { return std::span(functions_).first(count_); }
  [[nodiscard]] bool is_ours(const ErrorCall& call) const;

  // Lines between `above` and `below`, without both, where a function (or all of them) reports `reason`.
  [[nodiscard]] Lines lines_of(const FunctionFlow& function, std::uint64_t reason, std::uint64_t above = 0,
                               std::uint64_t below = kAnyLine) const;
  [[nodiscard]] Lines all_lines_of(std::uint64_t reason, std::uint64_t above = 0, std::uint64_t below = kAnyLine) const;
  [[nodiscard]] bool reports(const FunctionFlow& function, std::uint64_t reason, std::uint64_t line) const {
    return lines_of(function, reason, line - 1, line + 1).size() == 1;
  }
  template <typename Condition>
  [[nodiscard]] const FunctionFlow* find_only(Condition&& condition) const;

  [[nodiscard]] const FunctionFlow* find_write(std::uint64_t read_line, std::uint64_t write_line) const;
  std::string_view add_read(std::uint64_t peek_line);
  std::string_view add_takers(const FunctionFlow& peek);
  [[nodiscard]] const FunctionFlow* find_shutdown(std::uint64_t write_line) const;
  void add_others(std::uint64_t write_line);
  void add_entry(std::uint32_t role, std::uint32_t flags, const FunctionFlow& function, std::size_t arguments);
  [[nodiscard]] oisp_argument argument(std::size_t number) const {
    return {.kind = OISP_ARG_REGISTER, .reg = Frame::argument_register(image_.machine(), number)};
  }

  const ElfImage& image_;
  Decoder& decoder_;
  const ErrorSites& errors_;
  std::uint64_t error_function_;
  CallTargets targets_;
  Budget budget_;
  std::array<FunctionFlow, kMostFunctions> functions_{};
  std::size_t count_ = 0;
  Positions positions_;
  oisp_scan_answer& answer_;
};

void Finder::follow_all() {
  for (const std::uint64_t site : errors_.sites()) {
    const auto start = find_start(image_, decoder_, budget_, targets_, site);
    const auto known = functions();
    const bool is_known = start && std::any_of(known.begin(), known.end(),
                                               [&](const FunctionFlow& other) { return other.start == *start; });
    if (!start || is_known || count_ == functions_.size()) continue;
    functions_[count_++] = follow_function(image_, decoder_, budget_, targets_, *start,
                                           Frame::at_entry(image_.machine()), error_function_);
  }
}

bool Finder::find_positions() {
  std::array<std::size_t, Frame::kArguments> votes{};
  for (const FunctionFlow& function : functions()) {
    for (const ErrorCall& call : function.all_errors()) {
      const Fact& library = call.arguments[0];
      const bool may_be_ours = library.kind == Fact::Kind::unknown || library.value == kLibrarySsl;
      for (std::size_t i = 2; may_be_ours && i + 1 < votes.size(); ++i) {
        const Fact& fact = call.arguments[i];
        if (fact.kind == Fact::Kind::constant && errors_.is_name(fact.value)) ++votes[i];
      }
    }
  }
  const auto most = std::max_element(votes.begin(), votes.end());
  const auto name = static_cast<std::size_t>(most - votes.begin());
  positions_ = {.reason = name - 1, .file = name, .line = name + 1};
  return *most > 0;
}

bool Finder::is_ours(const ErrorCall& call) const {
  const Fact& library = call.arguments[0];
  const auto is_number = [&](std::size_t i) { return call.arguments[i].kind == Fact::Kind::constant; };
  const bool is_ssl = library.kind == Fact::Kind::unknown || (is_number(0) && library.value == kLibrarySsl);
  const bool is_here = is_number(positions_.file) && errors_.is_name(call.arguments[positions_.file].value);
  return is_ssl && is_here && is_number(positions_.reason) && is_number(positions_.line);
}

Lines Finder::lines_of(const FunctionFlow& function, std::uint64_t reason, std::uint64_t above,
                       std::uint64_t below) const {
  Lines lines;
  for (const ErrorCall& call : function.all_errors()) {
    if (!is_ours(call) || call.arguments[positions_.reason].value != reason) continue;
    const std::uint64_t line = call.arguments[positions_.line].value;
    if (line > above && line < below) lines.add(line);
  }
  return lines;
}

Lines Finder::all_lines_of(std::uint64_t reason, std::uint64_t above, std::uint64_t below) const {
  Lines all;
  for (const FunctionFlow& function : functions()) {
    const Lines lines = lines_of(function, reason, above, below);
    for (std::size_t i = 0; i < lines.size(); ++i) all.add(lines[i]);
  }
  return all;
}

// Null where none or several of the functions are so.
template <typename Condition>
const FunctionFlow* Finder::find_only(Condition&& condition) const {
  const FunctionFlow* only = nullptr;
  for (const FunctionFlow& function : functions()) {
    if (!condition(function)) continue;
    if (only != nullptr) return nullptr;
    only = &function;
  }
  return only;
}

// SSL_write says that the handshake failed, further down that the length is negative, and further up that
// the session is not set up. It must use all three of its arguments.
const FunctionFlow* Finder::find_write(std::uint64_t read_line, std::uint64_t write_line) const {
  constexpr std::uint64_t kFewLines = 16;
  const FunctionFlow* write =
      find_only([&](const FunctionFlow& function) { return reports(function, kHandshakeFailure, write_line); });
  if (write == nullptr || (write->arguments_read & 7) != 7) return nullptr;
  const bool is_set_up = lines_of(*write, kUninitialized, read_line, write_line).size() > 0;
  const bool not_for_quic = lines_of(*write, kShouldNotHaveBeenCalled, read_line, write_line).size() == 1;
  const auto is_other = [&](const FunctionFlow& function) {
    return &function != write && lines_of(function, kBadLength, write_line, write_line + kFewLines).size() > 0;
  };
  const auto all = functions();
  return is_set_up && not_for_quic && std::none_of(all.begin(), all.end(), is_other) ? write : nullptr;
}

// A probe at the entry of a function: session, buffer and length, as far as it has them.
void Finder::add_entry(std::uint32_t role, std::uint32_t flags, const FunctionFlow& function, std::size_t arguments) {
  oisp_site site{};
  site.role = role;
  site.flags = flags;
  const std::array<oisp_argument*, 3> places = {&site.session, &site.buffer, &site.length};
  std::uint32_t needed = 0;
  for (std::size_t i = 0; i < arguments; ++i) {
    *places[i] = argument(i);
    needed |= 1u << places[i]->reg;
  }
  const bool is_data = role == OISP_ROLE_READ || role == OISP_ROLE_WRITE;
  if (is_data) site.count = {.kind = OISP_ARG_RETURN};
  const bool returns = (flags & OISP_SITE_HAS_RETURN) != 0;
  const ProbePoint point = find_probe_point(image_, decoder_, {.address = function.start, .size = 0}, needed, returns);
  add_site(image_, point.address, site, answer_);
}

// Every function that holds SSL_peek's own error holds the copy into the caller's buffer: SSL_peek,
// SSL_read where SSL_peek is inlined in it, and at times a caller of SSL_read. SSL_read goes on to say how
// much is left, SSL_peek does not.
std::string_view Finder::add_read(std::uint64_t peek_line) {
  const FunctionFlow* read = nullptr;
  const FunctionFlow* peek = nullptr;
  for (const FunctionFlow& function : functions()) {
    if (!reports(function, kShouldNotHaveBeenCalled, peek_line)) continue;
    if (!function.is_complete) return kTooLarge;
    const auto copies = function.all_copies();
    if (copies.empty()) return kReadInlined;
    const bool advances = std::any_of(copies.begin(), copies.end(), [](const CopyCall& copy) { return copy.advances; });
    const FunctionFlow*& place = advances ? read : peek;
    if (advances && read != nullptr) return kManyReads;
    place = &function;
  }
  if (read == nullptr) return peek == nullptr ? kManyReads : add_takers(*peek);

  // The copy itself tells all, and needs no return probe; where it is not one direct call (which the
  // kernel emulates) with the session at hand, entry and return cost less.
  const CopyCall& copy = read->copies[0];
  if (image_.machine() == Machine::x86_64 && read->copy_count == 1 && copy.is_direct && copy.session_registers != 0) {
    oisp_site site{};
    site.role = OISP_ROLE_READ;
    site.session = {.kind = OISP_ARG_REGISTER,
                    .reg = static_cast<std::uint8_t>(std::countr_zero(copy.session_registers))};
    site.buffer = argument(1);
    site.length = argument(2);
    add_site(image_, copy.address, site, answer_);
  } else {
    add_entry(OISP_ROLE_READ, OISP_SITE_HAS_RETURN, *read, 3);
  }
  return {};
}

// SSL_read calls SSL_peek, and may itself be inlined into many places: in each, the data are still where
// SSL_peek copied them from when it has returned.
std::string_view Finder::add_takers(const FunctionFlow& peek) {
  if (image_.machine() != Machine::x86_64 || peek.copy_count != 1) return kOnlyPeek;
  Frame first = Frame::at_entry(image_.machine());
  first.follow_loads();
  const FunctionFlow again = follow_function(image_, decoder_, budget_, targets_, peek.start, first, error_function_);
  const Fact& source = again.copies[0].source;
  if (!again.is_complete || source.kind != Fact::Kind::loaded || source.argument != 0 || source.steps != 2) {
    return kOnlyPeek;
  }
  const DataPlace place{.first = static_cast<std::uint16_t>(source.value >> 16),
                        .second = static_cast<std::uint16_t>(source.value & 0xffff)};
  const Takers takers(image_, decoder_, budget_, peek.start, place);
  const auto found = takers.found();
  if (!found || found->empty() || place.second == 0) return kOnlyPeek;
  for (const Taker& taker : *found) {
    oisp_site site{};
    site.role = OISP_ROLE_READ;
    site.session = {.kind = OISP_ARG_REGISTER, .reg = taker.session};
    site.buffer = {.kind = OISP_ARG_MEMORY, .reg = taker.session, .then = place.second, .offset = place.first};
    site.length = {.kind = OISP_ARG_REGISTER, .reg = kRax};
    add_site(image_, taker.address, site, answer_);
  }
  return {};
}

// Behind SSL_write, SSL_key_update and SSL_shutdown say that the session is not set up. SSL_shutdown says
// nothing else there, or that data came in.
const FunctionFlow* Finder::find_shutdown(std::uint64_t write_line) const {
  return find_only([&](const FunctionFlow& function) {
    bool is_set_up = false;
    for (const ErrorCall& call : function.all_errors()) {
      if (!is_ours(call) || call.arguments[positions_.line].value < write_line) continue;
      const std::uint64_t reason = call.arguments[positions_.reason].value;
      if (reason != kUninitialized && reason != kDataOnShutdown) return false;
      is_set_up = is_set_up || reason == kUninitialized;
    }
    return is_set_up;
  });
}

void Finder::add_others(std::uint64_t write_line) {
  if (const FunctionFlow* shutdown = find_shutdown(write_line)) add_entry(OISP_ROLE_SHUTDOWN, 0, *shutdown, 1);
  const FunctionFlow* handshake = find_only([&](const FunctionFlow& function) {
    return lines_of(function, kConnectionTypeNotSet).size() > 0 && lines_of(function, kHandshakeFailure).size() == 0;
  });
  if (handshake != nullptr) add_entry(OISP_ROLE_HANDSHAKE, OISP_SITE_HAS_RETURN, *handshake, 1);
  const FunctionFlow* name =
      find_only([&](const FunctionFlow& function) { return lines_of(function, kInvalidServerName).size() > 0; });
  // The name's length is asked for, or it is copied: its pointer is handed on.
  if (name != nullptr && name->copy_count > 0) add_entry(OISP_ROLE_SET_NAME, 0, *name, 2);
  const FunctionFlow* make =
      find_only([&](const FunctionFlow& function) { return lines_of(function, kNullSslCtx).size() > 0; });
  if (make != nullptr) add_entry(OISP_ROLE_NEW, OISP_SITE_HAS_RETURN, *make, 0);
}

BoringSsl Finder::find() {
  follow_all();
  if (!find_positions()) return {};
  const auto refuse = [](std::string_view reason) { return BoringSsl{.is_there = true, .refusal = reason}; };
  // The loop that reads comes before SSL_write in the source.
  const Lines failures = all_lines_of(kHandshakeFailure);
  if (failures.size() != 2) return refuse(kOtherLines);
  const FunctionFlow* write = find_write(failures[0], failures[1]);
  if (write == nullptr) return refuse(kNoWrite);
  const std::uint64_t not_for_quic = lines_of(*write, kShouldNotHaveBeenCalled, failures[0], failures[1])[0];
  const Lines peek = all_lines_of(kShouldNotHaveBeenCalled, failures[0], not_for_quic);
  if (peek.size() != 1) return refuse(kOtherLines);
  if (const std::string_view reason = add_read(peek[0]); !reason.empty()) return refuse(reason);
  add_entry(OISP_ROLE_WRITE, OISP_SITE_HAS_RETURN, *write, 3);
  add_others(failures[1]);
  return {.is_there = true, .refusal = {}};
}

}  // namespace

BoringSsl find_boringssl_sites(const ElfImage& image, Decoder& decoder, oisp_scan_answer& answer) {
  const ErrorSites errors(image, kFileName);
  if (!errors.has_names()) return {};
  Budget budget;
  const auto error_function = errors.find_error_function(decoder, budget);
  if (!error_function) return {};
  return Finder(image, decoder, errors, *error_function, answer).find();
}

}  // namespace oisp
