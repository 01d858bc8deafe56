#include "elf-scanner/openssl.h"

#include <algorithm>
#include <initializer_list>

#include "elf-scanner/data-flow.h"
#include "elf-scanner/probe-point.h"

namespace oisp {
namespace {

struct Name {
  std::string_view text;
  SslFunction function;
};
constexpr std::array<Name, kSslFunctions> kNames = {{
    {"SSL_read", SslFunction::read},
    {"SSL_read_ex", SslFunction::read_ex},
    {"SSL_write", SslFunction::write},
    {"SSL_write_ex", SslFunction::write_ex},
    {"SSL_write_ex2", SslFunction::write_ex2},  // OpenSSL 3.3
    {"SSL_peek", SslFunction::peek},
    {"SSL_peek_ex", SslFunction::peek_ex},
    {"SSL_do_handshake", SslFunction::do_handshake},
    {"SSL_connect", SslFunction::connect},
    {"SSL_accept", SslFunction::accept},
    {"SSL_set_fd", SslFunction::set_fd},
    {"SSL_set_rfd", SslFunction::set_rfd},
    {"SSL_set_wfd", SslFunction::set_wfd},
    {"SSL_ctrl", SslFunction::ctrl},
    {"SSL_set_tlsext_host_name", SslFunction::set_tlsext_host_name},  // OpenSSL has it as SSL_ctrl only
    {"SSL_free", SslFunction::free},
    {"SSL_shutdown", SslFunction::shutdown},
    {"SSL_new", SslFunction::make},
}};

// SSL_CTRL_SET_TLSEXT_HOSTNAME of <openssl/ssl.h>: the same in every version.
constexpr std::uint64_t kCtrlSetHostName = 55;

// The calling convention: the register of each argument.
struct Convention {
  std::array<std::uint8_t, 5> arguments;
};
constexpr Convention kSystemV = {{kRdi, kRsi, kRdx, kRcx, kR8}};
constexpr Convention kAapcs64 = {{0, 1, 2, 3, 4}};

oisp_argument in_register(std::uint8_t reg) { return {.kind = OISP_ARG_REGISTER, .reg = reg}; }

// Makes the sites of one file and adds them to the answer.
class Sites {
 public:
  Sites(const ElfImage& image, Decoder& decoder, const SslFunctions& functions, oisp_scan_answer& answer)
      : image_(image),
        decoder_(decoder),
        functions_(functions),
        answer_(answer),
        convention_(image.machine() == Machine::x86_64 ? kSystemV : kAapcs64) {}

  void add_data(std::uint32_t role, SslFunction plain, SslFunction with_count, bool keep_from_peek);
  void add_handshakes();
  void add_session_calls();

 private:
  struct Inner {
    std::uint64_t address;
    std::uint8_t count_register;
  };

  [[nodiscard]] std::uint8_t argument(std::size_t index) const { return convention_.arguments[index]; }
  [[nodiscard]] std::uint32_t mask(std::initializer_list<std::size_t> indexes) const {
    std::uint32_t bits = 0;
    for (const std::size_t index : indexes) bits |= 1u << argument(index);
    return bits;
  }
  [[nodiscard]] std::optional<Inner> find_inner(SslFunction plain, SslFunction with_count) const;
  [[nodiscard]] bool is_called_by(SslFunction caller, std::uint64_t target) const;
  [[nodiscard]] bool is_shared_with_peek(std::uint64_t inner) const {
    return is_called_by(SslFunction::peek, inner) || is_called_by(SslFunction::peek_ex, inner);
  }
  [[nodiscard]] PassingCalls calls_of(SslFunction function) const;
  void add_simple(std::uint32_t role, SslFunction function, std::uint32_t flags, std::uint32_t needed, oisp_site site);
  void add(ProbePoint point, oisp_site site) { add_site(image_, point.address, site, answer_); }
  [[nodiscard]] oisp_site data_site(std::uint32_t role) const;

  const ElfImage& image_;
  Decoder& decoder_;
  const SslFunctions& functions_;
  oisp_scan_answer& answer_;
  const Convention& convention_;
};

oisp_site Sites::data_site(std::uint32_t role) const {
  oisp_site site{};
  site.role = role;
  site.flags = OISP_SITE_HAS_RETURN;
  site.session = in_register(argument(0));
  site.buffer = in_register(argument(1));
  site.length = in_register(argument(2));
  return site;
}

PassingCalls Sites::calls_of(SslFunction function) const {
  const auto found = functions_.find(function);
  if (!found) return {};
  return find_passing_calls(image_, decoder_, *found, entry_registers());
}

bool Sites::is_called_by(SslFunction caller, std::uint64_t target) const {
  const auto function = functions_.find(caller);
  return function && calls_function(image_, decoder_, *function, target);
}

// The static function that both forms end in, as proved by the data flow: it gets session, buffer and
// length unchanged, and in one and the same register the address of a variable of the plain form and
// the caller's own pointer of the other.
std::optional<Sites::Inner> Sites::find_inner(SslFunction plain, SslFunction with_count) const {
  if (image_.machine() != Machine::x86_64) return std::nullopt;
  const PassingCalls plain_calls = calls_of(plain);
  PassingCalls other_calls = calls_of(with_count);
  // OpenSSL 3.3 puts SSL_write_ex2 between.
  const auto between = functions_.find(SslFunction::write_ex2);
  if (other_calls.complete && other_calls.count == 1 && between && other_calls.calls[0].target == between->address) {
    other_calls = find_passing_calls(image_, decoder_, *between, other_calls.calls[0].registers);
  }
  if (!plain_calls.complete || !other_calls.complete) return std::nullopt;

  std::optional<Inner> inner;
  for (const PassingCall& call : plain_calls.all()) {
    for (const PassingCall& other : other_calls.all()) {
      if (call.target != other.target) continue;
      for (const std::uint8_t reg : {kRcx, kR8, kR9}) {
        const bool counts = call.registers[reg].kind == Value::Kind::stack_address &&
                            other.registers[reg].kind == Value::Kind::argument && other.registers[reg].origin == kRcx;
        if (!counts) continue;
        if (inner && (inner->address != call.target || inner->count_register != reg)) return std::nullopt;
        inner = Inner{.address = call.target, .count_register = reg};
      }
    }
  }
  return inner;
}

void Sites::add_data(std::uint32_t role, SslFunction plain, SslFunction with_count, bool keep_from_peek) {
  const auto plain_function = functions_.find(plain);
  const auto other_function = functions_.find(with_count);
  if (!plain_function) return;
  // LibreSSL's longer form calls the plain one: a second probe would see everything twice.
  const bool needs_other = other_function && !is_called_by(with_count, plain_function->address);
  oisp_site site = data_site(role);
  const ProbePoint point = find_probe_point(image_, decoder_, *plain_function, mask({0, 1, 2}), true);
  const ProbePoint other_point =
      needs_other ? find_probe_point(image_, decoder_, *other_function, mask({0, 1, 2, 3}), true) : ProbePoint{};

  const bool is_cheap = point.is_cheap && (!needs_other || other_point.is_cheap);
  const auto inner = is_cheap ? std::nullopt : find_inner(plain, with_count);
  if (inner && !(keep_from_peek && is_shared_with_peek(inner->address))) {
    const std::uint32_t needed = mask({0, 1, 2}) | 1u << inner->count_register;
    const ProbePoint both = find_probe_point(image_, decoder_, {.address = inner->address, .size = 0}, needed, true);
    if (both.is_cheap) {
      site.count = {.kind = OISP_ARG_POINTER_REGISTER, .reg = inner->count_register};
      return add(both, site);
    }
  }
  site.count = {.kind = OISP_ARG_RETURN};
  add(point, site);
  if (!needs_other) return;
  site.count = {.kind = OISP_ARG_POINTER_REGISTER, .reg = argument(3)};
  add(other_point, site);
}

void Sites::add_simple(std::uint32_t role, SslFunction function, std::uint32_t flags, std::uint32_t needed,
                       oisp_site site) {
  const auto found = functions_.find(function);
  if (!found) return;
  site.role = role;
  site.flags |= flags;
  add(find_probe_point(image_, decoder_, *found, needed, (flags & OISP_SITE_HAS_RETURN) != 0), site);
}

// SSL_connect and SSL_accept set the session's side and go on to SSL_do_handshake. Where they do so by a
// call, its probe sees them; where the compiler copied it into them, they get their own.
void Sites::add_handshakes() {
  oisp_site site{};
  site.session = in_register(argument(0));
  add_simple(OISP_ROLE_HANDSHAKE, SslFunction::do_handshake, OISP_SITE_HAS_RETURN, mask({0}), site);
  const auto shared = functions_.find(SslFunction::do_handshake);
  if (!shared || !is_called_by(SslFunction::connect, shared->address)) {
    add_simple(OISP_ROLE_HANDSHAKE, SslFunction::connect, OISP_SITE_HAS_RETURN, mask({0}), site);
  }
  if (!shared || !is_called_by(SslFunction::accept, shared->address)) {
    add_simple(OISP_ROLE_HANDSHAKE, SslFunction::accept, OISP_SITE_HAS_RETURN | OISP_SITE_IS_SERVER, mask({0}), site);
  }
}

void Sites::add_session_calls() {
  oisp_site session_only{};
  session_only.session = in_register(argument(0));
  oisp_site with_fd = session_only;
  with_fd.length = in_register(argument(1));
  for (const SslFunction function : {SslFunction::set_fd, SslFunction::set_rfd, SslFunction::set_wfd}) {
    add_simple(OISP_ROLE_SET_FD, function, 0, mask({0, 1}), with_fd);
  }

  oisp_site with_name = session_only;
  with_name.buffer = in_register(argument(3));
  with_name.guard = in_register(argument(1));
  with_name.guard_value = kCtrlSetHostName;
  add_simple(OISP_ROLE_SET_NAME, SslFunction::ctrl, OISP_SITE_HAS_GUARD, mask({0, 1, 3}), with_name);
  oisp_site name_only = session_only;
  name_only.buffer = in_register(argument(1));
  add_simple(OISP_ROLE_SET_NAME, SslFunction::set_tlsext_host_name, 0, mask({0, 1}), name_only);

  add_simple(OISP_ROLE_FREE, SslFunction::free, 0, mask({0}), session_only);
  add_simple(OISP_ROLE_SHUTDOWN, SslFunction::shutdown, 0, mask({0}), session_only);
  add_simple(OISP_ROLE_NEW, SslFunction::make, OISP_SITE_HAS_RETURN, 0, {});
}

}  // namespace

void SslFunctions::note(std::string_view name, Function function, bool dynamic) {
  const auto found = std::find_if(kNames.begin(), kNames.end(), [&](const Name& known) { return known.text == name; });
  if (found == kNames.end()) return;
  Entry& entry = entries_[static_cast<std::size_t>(found->function)];
  if (!entry.function) {
    entry.function = function;
    entry.dynamic = dynamic;
  } else if (!entry.dynamic && entry.function->address != function.address) {
    entry.ambiguous = true;
  }
}

bool SslFunctions::is_library() const {
  const auto has_all = [this](std::initializer_list<SslFunction> wanted) {
    return std::all_of(wanted.begin(), wanted.end(), [this](SslFunction one) { return find(one).has_value(); });
  };
  return has_all(
      {SslFunction::read, SslFunction::write, SslFunction::free, SslFunction::make, SslFunction::do_handshake});
}

bool SslFunctions::is_ambiguous() const {
  return std::any_of(entries_.begin(), entries_.end(), [](const Entry& entry) { return entry.ambiguous; });
}

void find_openssl_sites(const ElfImage& image, Decoder& decoder, const SslFunctions& functions,
                        oisp_scan_answer& answer) {
  Sites sites(image, decoder, functions, answer);
  sites.add_data(OISP_ROLE_READ, SslFunction::read, SslFunction::read_ex, true);
  sites.add_data(OISP_ROLE_WRITE, SslFunction::write, SslFunction::write_ex, false);
  sites.add_handshakes();
  sites.add_session_calls();
}

}  // namespace oisp
