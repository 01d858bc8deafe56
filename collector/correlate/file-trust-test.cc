#include "collector/correlate/file-trust.h"

#include <algorithm>
#include <random>

#include "tests/catch.h"

namespace oisp {
namespace {

using std::string_literals::operator""s;

Look look_of(std::string_view bytes) {
  FirstBytes first;
  first.add(bytes);
  return first.look(true);
}

std::string random_bytes(std::size_t size) {
  std::mt19937 random(7);
  std::string bytes(size, '\0');
  std::generate(bytes.begin(), bytes.end(), [&] { return static_cast<char>(random() & 0xff); });
  return bytes;
}

FileReport report_of(std::uint64_t inode, std::uint32_t number) {
  FileReport report;
  report.key = {.device = 8, .inode = inode};
  report.file = number;
  report.outcome = FileOutcome::probed;
  return report;
}

constexpr Behaviour kGood{.is_clear = true, .broken = {}};
constexpr Behaviour kBad{.is_clear = true, .broken = "nonsense"};

}  // namespace

TEST_CASE("first bytes look like what they are") {
  CHECK(look_of("POST /v1/messages HTTP/1.1\r\n") == Look::request);
  CHECK(look_of("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") == Look::request);
  CHECK(look_of("HTTP/1.1 200 OK\r\n") == Look::response);
  CHECK(look_of("\0\0\x12\4\0\0\0\0\0"s) == Look::response);  // SETTINGS with three of them
  CHECK(look_of("\0\0\x11\4\0\0\0\0\0"s) != Look::response);  // no whole ones
  CHECK(look_of("\x17\3\3\0\x45"s + random_bytes(69)) == Look::tls_record);
  CHECK(look_of("\x16\3\1\2\0\1\0\1\xfc"s) == Look::tls_record);
  CHECK(look_of("\x17\3\3\xff\xff"s) == Look::open);  // no record is as long
  CHECK(look_of("short") == Look::open);
  for (const std::size_t size : {64U, 100U, 256U, 5000U}) CHECK(look_of(random_bytes(size)) == Look::random);
  std::string text;
  while (text.size() < 300) text += "* OK [CAPABILITY IMAP4rev1 STARTTLS] server ready\r\n";
  CHECK(look_of(text) == Look::other);
  CHECK(look_of(std::string(256, '\0')) == Look::other);
  std::string base64;
  for (const char byte : random_bytes(300)) base64 += static_cast<char>('0' + (byte & 0x3f));
  CHECK(look_of(base64) == Look::other);
}

TEST_CASE("first bytes may come one by one") {
  FirstBytes first;
  for (const char byte : "HTTP/1."s) {
    CHECK(first.look(false) == Look::open);
    first.add({&byte, 1});
  }
  CHECK(first.look(false) == Look::response);
}

TEST_CASE("only what cannot be plaintext speaks against a file") {
  // Client and server.
  CHECK(behaviour_of({.read = Look::response, .written = Look::request}).broken.empty());
  CHECK(behaviour_of({.read = Look::response, .written = Look::request}).is_clear);
  CHECK(behaviour_of({.read = Look::request, .written = Look::response}).is_clear);
  // Half of it is none.
  CHECK_FALSE(behaviour_of({.written = Look::request}).is_clear);
  CHECK_FALSE(behaviour_of({.read = Look::other, .written = Look::request}).is_clear);
  CHECK_FALSE(behaviour_of({.read = Look::other, .written = Look::other}).is_clear);
  CHECK_FALSE(behaviour_of({}).is_clear);
  // Ciphertext in one direction is enough.
  CHECK_FALSE(behaviour_of({.read = Look::random, .written = Look::request}).broken.empty());
  CHECK_FALSE(behaviour_of({.read = Look::tls_record}).broken.empty());
  CHECK_FALSE(behaviour_of({.unreadable = true}).broken.empty());
  // A handshake that was seen excuses looks, and so does a beginning that was not; nothing excuses lengths.
  CHECK_FALSE(behaviour_of({.handshake_done = true, .read = Look::random}).is_clear);
  CHECK_FALSE(behaviour_of({.handshake_done = true, .written = Look::tls_record}).is_clear);
  CHECK_FALSE(behaviour_of({.joined_late = true, .read = Look::random}).is_clear);
  CHECK_FALSE(behaviour_of({.overrun = true, .handshake_done = true, .read = Look::response, .written = Look::request})
                  .broken.empty());
}

TEST_CASE("a file is given up by its third stream that does not behave, and not once one did") {
  FileTrust trust;
  trust.on_file(report_of(5, 1));
  CHECK(trust.of(1) == Trust::unproven);
  CHECK_FALSE(trust.add(1, {}));
  CHECK_FALSE(trust.add(1, kBad));
  CHECK_FALSE(trust.add(1, kBad));
  CHECK(trust.add(1, kBad));
  CHECK(trust.of(1) == Trust::distrusted);
  CHECK(trust.reason({.device = 8, .inode = 5}) == "nonsense");
  CHECK_FALSE(trust.add(1, kGood));
  CHECK(trust.of(1) == Trust::distrusted);

  trust.on_file(report_of(6, 2));
  CHECK_FALSE(trust.add(2, kBad));
  CHECK_FALSE(trust.add(2, kGood));
  for (int i = 0; i < 9; ++i) CHECK_FALSE(trust.add(2, kBad));
  CHECK(trust.of(2) == Trust::trusted);
}

TEST_CASE("trust goes with the file, not with its number") {
  FileTrust trust;
  for (int i = 0; i < 2; ++i) CHECK_FALSE(trust.add(3, kBad));  // before it was told of
  trust.on_file(report_of(5, 3));
  CHECK(trust.add(3, kBad));
  trust.on_file(report_of(6, 3));  // another file by now
  CHECK(trust.of(3) == Trust::unproven);
  trust.forget_numbers();
  trust.on_file(report_of(5, 9));
  CHECK(trust.of(9) == Trust::distrusted);
  CHECK_FALSE(trust.add(100000, kBad));  // no number of a file
}

}  // namespace oisp
