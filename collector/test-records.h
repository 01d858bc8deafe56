// Records and spans made by hand, for the tests of everything behind the ring.
#pragma once

#include <capnp/blob.h>

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bpf/records.h"

namespace oisp::test {

inline constexpr std::uint64_t kSecond = 1'000'000'000;

struct Who {
  std::uint32_t tgid = 4121;
  std::uint64_t start_ns = 100 * kSecond;
  std::uint32_t exec_count = 1;
};

// One of the helper's structs as it sends it.
template <typename T>
capnp::Data::Reader data_of(const T& what) {
  return {reinterpret_cast<const kj::byte*>(&what), sizeof what};
}

// A span of a ring as the kernel lays it out.
class SpanMaker {
 public:
  // Adds one record; `Fixed` has its kind's fields set, the header is filled here.
  template <typename Fixed>
  void add(std::uint8_t family, std::uint8_t kind, Who who, std::uint64_t at_ns, Fixed fixed,
           std::string_view variable = {}, std::uint32_t flags = 0) {
    oisp_record_header& header = header_of(fixed);
    header.version = OISP_RECORD_VERSION;
    header.family = family;
    header.kind = kind;
    header.length = static_cast<std::uint32_t>(sizeof fixed + variable.size());
    header.cpu = cpu;
    header.flags = flags;
    header.sequence = sequence[family]++;
    header.entry_ns = at_ns;
    header.return_ns = at_ns + 1000;
    header.tgid = who.tgid;
    header.tid = who.tgid;
    header.start_ns = who.start_ns;
    header.cgroup_id = 77;
    header.exec_count = who.exec_count;
    header.uid = 1000;
    header.mount_ns = 4026531841;
    append({reinterpret_cast<const char*>(&fixed), sizeof fixed}, variable, 0);
  }

  void data(Who who, std::uint64_t at_ns, std::uint64_t session, std::uint8_t direction, std::uint64_t stream_offset,
            std::string_view payload, std::uint32_t flags = 0, std::uint32_t call_length = 0,
            std::uint32_t call_offset = 0) {
    oisp_tls_data fixed{};
    fixed.session = session;
    fixed.stream_offset = stream_offset;
    fixed.call_length = call_length != 0 ? call_length : static_cast<std::uint32_t>(payload.size());
    fixed.call_offset = call_offset;
    fixed.payload_length = static_cast<std::uint32_t>(payload.size());
    fixed.direction = direction;
    add(OISP_FAMILY_TLS, OISP_KIND_TLS_DATA, who, at_ns, fixed, payload, flags);
  }
  void session(Who who, std::uint64_t at_ns, std::uint64_t session, std::uint32_t event, std::int64_t result = 0,
               std::string_view name = {}) {
    oisp_tls_session fixed{};
    fixed.session = session;
    fixed.event = event;
    fixed.result = result;
    fixed.name_length = static_cast<std::uint32_t>(name.size());
    if (!name.empty()) std::memcpy(fixed.name, name.data(), name.size());
    add(OISP_FAMILY_TLS, OISP_KIND_TLS_SESSION, who, at_ns, fixed);
  }
  void socket(Who who, std::uint64_t at_ns, std::uint64_t session, std::uint64_t connection) {
    oisp_tls_socket fixed{};
    fixed.session = session;
    fixed.connection = connection;
    add(OISP_FAMILY_TLS, OISP_KIND_TLS_SOCKET, who, at_ns, fixed);
  }
  void fork(Who parent, std::uint64_t at_ns, Who child) {
    oisp_process_fork fixed{};
    fixed.child_start_ns = child.start_ns;
    fixed.child_tgid = child.tgid;
    fixed.child_exec_count = child.exec_count;
    add(OISP_FAMILY_PROCESS, OISP_KIND_PROCESS_FORK, parent, at_ns, fixed);
  }
  void exec(Who who, std::uint64_t at_ns, std::string_view path, std::string_view argv,
            std::uint8_t kind = OISP_KIND_PROCESS_EXEC, oisp_file_key exe = {.device = 1, .inode = 2}) {
    oisp_process_exec fixed{};
    fixed.exe = exe;
    fixed.parent_tgid = 4000;
    fixed.gid = 1001;
    fixed.path_length = static_cast<std::uint32_t>(path.size());
    const std::string_view cwd = "/home/ana";
    fixed.cwd_length = static_cast<std::uint32_t>(cwd.size());
    fixed.argv_length = fixed.argv_total = static_cast<std::uint32_t>(argv.size());
    const std::string_view comm = path.substr(path.rfind('/') + 1).substr(0, sizeof fixed.comm - 1);
    std::memcpy(fixed.comm, comm.data(), comm.size());
    add(OISP_FAMILY_PROCESS, kind, who, at_ns, fixed, std::string(path) + std::string(cwd) + std::string(argv));
  }
  void exit(Who who, std::uint64_t at_ns, std::uint32_t exit_code) {
    oisp_process_exit fixed{};
    fixed.exit_code = exit_code;
    add(OISP_FAMILY_PROCESS, OISP_KIND_PROCESS_EXIT, who, at_ns, fixed);
  }
  void mapped(Who who, std::uint64_t at_ns, oisp_file_key file, std::string_view name) {
    oisp_process_mapped fixed{};
    fixed.file = file;
    fixed.name_length = static_cast<std::uint32_t>(name.size());
    if (!name.empty()) std::memcpy(fixed.name, name.data(), name.size());
    add(OISP_FAMILY_PROCESS, OISP_KIND_PROCESS_MAPPED, who, at_ns, fixed);
  }
  void connection(Who who, std::uint64_t at_ns, std::uint64_t cookie, std::uint32_t state,
                  std::uint16_t remote_port = 443, std::uint32_t error = 0, std::uint64_t sent = 0,
                  std::uint64_t received = 0, bool found = false) {
    oisp_connection fixed{};
    fixed.sent = sent;
    fixed.received = received;
    fixed.connection = cookie;
    fixed.state = state;
    fixed.error = error;
    fixed.family = 2;
    fixed.local_port = 40000;
    fixed.remote_port = remote_port;
    fixed.found = found ? 1 : 0;
    const std::uint8_t local[4] = {192, 0, 2, 1};
    const std::uint8_t remote[4] = {203, 0, 113, 9};
    std::memcpy(fixed.local_address, local, 4);
    std::memcpy(fixed.remote_address, remote, 4);
    add(OISP_FAMILY_NETWORK, OISP_KIND_CONNECTION, who, at_ns, fixed);
  }
  void client_hello(Who who, std::uint64_t at_ns, std::uint64_t cookie, std::string_view server_name) {
    oisp_client_hello fixed{};
    fixed.connection = cookie;
    const std::string hello = hello_bytes(server_name);
    fixed.payload_length = static_cast<std::uint32_t>(hello.size());
    std::memcpy(fixed.payload, hello.data(), hello.size());
    add(OISP_FAMILY_NETWORK, OISP_KIND_CLIENT_HELLO, who, at_ns, fixed);
  }
  // Reserved, and given up.
  void discard(std::size_t bytes) { append(std::string(bytes, 'x'), {}, 1U << 30); }
  // A record that never reached the ring.
  void lose(std::uint8_t family) { ++sequence[family]; }

  // A TLS 1.3 ClientHello with this server name and ALPN "http/1.1".
  static std::string hello_bytes(std::string_view server_name) {
    const auto prefixed = [](std::size_t bytes, const std::string& content) {
      std::string out;
      for (std::size_t i = bytes; i-- > 0;) out += static_cast<char>(content.size() >> (8 * i) & 0xff);
      return out + content;
    };
    using std::string_literals::operator""s;
    const std::string sni = "\0\0"s + prefixed(2, prefixed(2, "\0"s + prefixed(2, std::string(server_name))));
    const std::string alpn = "\0\x10"s + prefixed(2, prefixed(2, prefixed(1, "http/1.1")));
    const std::string body = "\x03\x03"s + std::string(32, 'r') + prefixed(1, std::string(32, 's')) +
                             prefixed(2, "\x13\x01\x13\x02"s) + prefixed(1, "\0"s) + prefixed(2, alpn + sni);
    return "\x16\x03\x01"s + prefixed(2, "\x01"s + prefixed(3, body));
  }

  [[nodiscard]] std::span<const std::byte> span() const {
    return {reinterpret_cast<const std::byte*>(words_.data()), words_.size() * sizeof words_[0]};
  }
  void clear() { words_.clear(); }

  std::uint32_t cpu = 0;
  std::uint64_t sequence[OISP_FAMILY_COUNT] = {};

 private:
  template <typename Fixed>
  static oisp_record_header& header_of(Fixed& fixed) {
    return fixed.header;
  }
  void append(std::string_view fixed, std::string_view variable, std::uint32_t bits) {
    const std::size_t length = fixed.size() + variable.size();
    const std::uint32_t entry[2] = {static_cast<std::uint32_t>(length) | bits, 0};
    const std::size_t at = words_.size();
    words_.resize(at + (sizeof entry + length + 7) / 8);
    auto* out = reinterpret_cast<char*>(words_.data() + at);
    std::memcpy(out, entry, sizeof entry);
    std::memcpy(out + sizeof entry, fixed.data(), fixed.size());
    if (!variable.empty()) std::memcpy(out + sizeof entry + fixed.size(), variable.data(), variable.size());
  }

  std::vector<std::uint64_t> words_;
};

}  // namespace oisp::test
