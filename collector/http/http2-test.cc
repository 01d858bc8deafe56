#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <initializer_list>
#include <memory>
#include <utility>

#include "collector/http/http-connection.h"
#include "collector/http/transcript.h"
#include "tests/catch.h"

namespace oisp {
namespace {

using test::loses;
using test::reads;
using test::sends;
using test::transcript;
using test::Turn;

constexpr std::uint8_t kEndStream = 0x1;
constexpr std::uint8_t kEndHeaders = 0x4;
constexpr std::uint8_t kPadded = 0x8;
constexpr std::uint8_t kPriority = 0x20;

const std::string kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

std::string number(std::uint32_t value, unsigned bytes) {
  std::string text;
  while (bytes > 0) text += static_cast<char>(value >> --bytes * 8 & 0xff);
  return text;
}

std::string frame(std::uint8_t type, std::uint8_t flags, std::uint32_t stream, const std::string& payload) {
  return number(static_cast<std::uint32_t>(payload.size()), 3) + static_cast<char>(type) + static_cast<char>(flags) +
         number(stream, 4) + payload;
}
std::string settings(const std::string& payload = {}) { return frame(4, 0, 0, payload); }
std::string data(std::uint32_t stream, const std::string& payload, std::uint8_t flags = 0) {
  return frame(0, flags, stream, payload);
}

using Fields = std::initializer_list<std::pair<std::string, std::string>>;

// One side's encoder, as libnghttp2 has it.
class Encoder {
 public:
  Encoder() {
    nghttp2_hd_deflater* made = nullptr;
    REQUIRE(::nghttp2_hd_deflate_new(&made, 4096) == 0);
    deflater_.reset(made);
  }

  std::string block(const Fields& fields) {
    std::vector<nghttp2_nv> headers;
    for (const auto& [name, value] : fields) {
      auto* const n = reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data()));
      auto* const v = reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data()));
      headers.push_back({n, v, name.size(), value.size(), NGHTTP2_NV_FLAG_NONE});
    }
    std::string out(::nghttp2_hd_deflate_bound(deflater_.get(), headers.data(), headers.size()), '\0');
    const auto size = ::nghttp2_hd_deflate_hd(deflater_.get(), reinterpret_cast<std::uint8_t*>(out.data()), out.size(),
                                              headers.data(), headers.size());
    REQUIRE(size > 0);
    out.resize(static_cast<std::size_t>(size));
    return out;
  }
  std::string post(std::uint32_t stream, const std::string& path, std::uint8_t flags = kEndHeaders) {
    return frame(1, flags, stream,
                 block({{":method", "POST"}, {":path", path}, {":scheme", "https"}, {":authority", "api.test"}}));
  }
  std::string ok(std::uint32_t stream, std::uint8_t flags = kEndHeaders) {
    return frame(1, flags, stream, block({{":status", "200"}, {"server", "one-that-has-a-name"}}));
  }

 private:
  struct Free {
    void operator()(nghttp2_hd_deflater* deflater) const { ::nghttp2_hd_deflate_del(deflater); }
  };
  std::unique_ptr<nghttp2_hd_deflater, Free> deflater_;
};

// The same however the bytes are cut, whether the pieces are chunks of a call or calls of their own.
void check(const std::vector<Turn>& turns, const std::string& expected) {
  REQUIRE(transcript(turns) == expected);
  for (const bool own_calls : {false, true}) {
    CHECK(transcript(turns, 1, own_calls, turns.size(), 0) == expected);
    for (std::size_t i = 0; i < turns.size(); ++i) {
      for (std::size_t at = 1; at < turns[i].bytes.size(); ++at) {
        const std::string text = transcript(turns, std::string::npos, own_calls, i, at);
        if (text != expected) {
          INFO("turn " << i << " split at " << at << ", own calls " << own_calls);
          REQUIRE(text == expected);
        }
      }
    }
  }
}

}  // namespace

TEST_CASE("http2: streams side by side, in both directions") {
  Encoder client;
  Encoder server;
  const std::string first = client.post(1, "/one");
  const std::string second = client.post(3, "/two", kEndHeaders | kEndStream);
  const std::string answer_two = server.ok(3);
  const std::string answer_one = server.ok(1);
  check({sends(kPreface + settings() + first + data(1, "he")), reads(settings() + frame(4, 1, 0, {})),
         sends(second + data(1, "llo", kEndStream)), reads(answer_two + data(3, "second ")),
         reads(answer_one + data(1, "first", kEndStream) + data(3, "answer") + data(3, "", kEndStream))},
        "http2\n"
        "#2 > POST /two 2 whole 0/0 []\n"
        "#1 > POST /one 2 whole 5/5 [hello]\n"
        "#2 < 200\n"
        "#2 + second \n"
        "#1 < 200\n"
        "#1 + first\n"
        "#1 . client whole 5/5 [hello] |  whole 5/5 [first]\n"
        "#2 + answer\n"
        "#2 . client whole 0/0 [] |  whole 13/13 [second answer]\n");
}

TEST_CASE("http2: the watched process may be the server, whose first bytes may come first") {
  Encoder client;
  Encoder server;
  check({sends(settings(number(3, 2) + number(100, 4))), reads(kPreface + settings() + client.post(1, "/x", 5)),
         sends(server.ok(1, 5))},
        "http2\n"
        "#1 > POST /x 2 whole 0/0 []\n"
        "#1 < 200\n"
        "#1 . server whole 0/0 [] |  whole 0/0 []\n");
}

TEST_CASE("http2: padding, priority, continuation, interim answers, trailers, unknown frames") {
  Encoder client;
  Encoder server;
  const std::string block = client.block(
      {{":method", "POST"}, {":path", "/p"}, {":scheme", "https"}, {":authority", "h"}, {"te", "trailers"}});
  const std::string padded = std::string(1, '\3') + number(0, 4) + '\20' + block.substr(0, 4) + std::string(3, '\0');
  const std::string request = frame(1, kPadded | kPriority, 1, padded) + frame(9, 0, 1, block.substr(4, 3)) +
                              frame(9, kEndHeaders, 1, block.substr(7));
  const std::string body = data(1, std::string(1, '\5') + "hello" + std::string(5, '\0'), kPadded | kEndStream);
  const std::string hints = frame(1, kEndHeaders, 1, server.block({{":status", "103"}, {"link", "</s>"}}));
  const std::string head = server.ok(1);
  const std::string trailers = frame(1, kEndHeaders | kEndStream, 1, server.block({{"grpc-status", "0"}}));
  const std::string promise =
      frame(5, kEndHeaders, 1, number(2, 4) + server.block({{":method", "GET"}, {":path", "/pushed"}}));
  check({sends(kPreface + settings() + frame(8, 0, 0, number(65535, 4)) + request + body),
         reads(settings() + frame(0x77, 0xff, 1, "whatever") + hints + head + promise + data(1, "one") + trailers)},
        "http2\n"
        "#1 > POST /p 2 whole 5/5 [hello]\n"
        "#1 < 200\n"
        "#1 + one\n"
        "#1 . client whole 5/5 [hello] |  whole 3/3 [one]\n");
}

TEST_CASE("http2: what a reset, a GOAWAY or the end leave open is named") {
  Encoder client;
  Encoder server;
  std::string sent = kPreface + settings();
  sent += client.post(1, "/reset", 5);
  sent += client.post(3, "/refused", 5);
  sent += client.post(5, "/upload") + data(5, "some");
  check({sends(sent), reads(settings() + server.ok(1) + data(1, "half")), sends(frame(3, 0, 1, number(8, 4))),
         reads(data(1, "late") + frame(7, 0, 0, number(1, 4) + number(0, 4)))},
        "http2\n"
        "#1 > POST /reset 2 whole 0/0 []\n"
        "#2 > POST /refused 2 whole 0/0 []\n"
        "#1 < 200\n"
        "#1 + half\n"
        "#1 . client whole 0/0 [] |  part 4/4 [half] !stream_ended\n"
        "#2 . client whole 0/0 [] |  part 0/-1 [] !stream_ended\n"
        "#3 > POST /upload 2 part 4/4 [some] !stream_ended\n"
        "#3 . client part 4/4 [some] !stream_ended |  part 0/-1 [] !stream_ended\n");
}

TEST_CASE("http2: a body of known length is whole with its last byte") {
  Encoder client;
  Encoder server;
  const std::string head = frame(1, kEndHeaders, 1, server.block({{":status", "200"}, {"content-length", "5"}}));
  check({sends(kPreface + settings() + client.post(1, "/a", 5)),
         reads(settings() + head + data(1, "fi") + data(1, "rst"))},
        "http2\n"
        "#1 > POST /a 2 whole 0/0 []\n"
        "#1 < 200\n"
        "#1 + first\n"
        "#1 . client whole 0/0 [] |  whole 5/5 [first]\n");
}

TEST_CASE("http2: an answer may come before the request is whole") {
  Encoder client;
  Encoder server;
  check({sends(kPreface + settings() + client.post(1, "/a") + data(1, "one")), reads(settings() + server.ok(1, 5)),
         sends(data(1, "two", kEndStream))},
        "http2\n"
        "#1 > POST /a 2 part 3/3 [one] !answered_early\n"
        "#1 < 200\n"
        "#1 . client whole 6/6 [onetwo] |  whole 0/0 []\n");
}

TEST_CASE("http2: bytes lost inside DATA cost that body alone") {
  Encoder client;
  Encoder server;
  const std::string body = data(1, "0123456789", kEndStream);
  const std::string first = client.post(1, "/a", 5);
  const std::string second = client.post(3, "/b", 5);
  check({sends(kPreface + settings() + first + second), reads(settings() + server.ok(1) + body.substr(0, 12)),
         loses(Direction::read, 4), reads(body.substr(16) + server.ok(3) + data(3, "fine", kEndStream))},
        "http2\n"
        "#1 > POST /a 2 whole 0/0 []\n"
        "#2 > POST /b 2 whole 0/0 []\n"
        "#1 < 200\n"
        "#1 + 012\n"
        "#1 gap\n"
        "#1 + 789\n"
        "#1 . client whole 0/0 [] |  whole 10/10 [012] !lost\n"
        "#2 < 200\n"
        "#2 + fine\n"
        "#2 . client whole 0/0 [] |  whole 4/4 [fine]\n");
}

TEST_CASE("http2: of a connection joined late what is known is told, and what is not is named") {
  Encoder client;
  Encoder server;
  (void)client.post(1, "/same");
  (void)server.ok(1);
  const std::vector<Turn> turns = {
      loses(Direction::write, 0, Missing::joined_late),
      loses(Direction::read, 0, Missing::joined_late),
      reads(data(1, "the end of an answer", kEndStream)),
      // The host is in a table that was not seen; the path is sent anew each time.
      sends(client.post(3, "/same") + data(3, "hello", kEndStream)),
      reads(server.ok(3) + data(3, "one", kEndStream)),
      sends(client.post(5, "/new", 5)),
      reads(server.ok(5, 5)),
      sends(client.post(7, "/new", 5)),
      reads(server.ok(7, 5)),
  };
  CHECK(transcript(turns) ==
        "http2\n"
        "#1 > POST /same 2 whole 5/5 [hello] !joined_late\n"
        "#1 < 200\n"
        "#1 + one\n"
        "#1 . client whole 5/5 [hello] !joined_late |  whole 3/3 [one] !joined_late\n"
        "#2 > POST /new 2 whole 0/0 [] !joined_late\n"
        "#2 < 200\n"
        "#2 . client whole 0/0 [] !joined_late |  whole 0/0 [] !joined_late\n"
        "#3 > POST /new 2 whole 0/0 [] !joined_late\n"
        "#3 < 200\n"
        "#3 . client whole 0/0 [] !joined_late |  whole 0/0 [] !joined_late\n");
}

TEST_CASE("http2: after lost frames it finds its way again") {
  Encoder client;
  Encoder server;
  const std::string first = client.post(1, "/a", 5);
  const std::string lost = client.post(3, "/lost", 5);
  const std::vector<Turn> turns = {
      sends(kPreface + settings() + first), reads(settings() + server.ok(1) + data(1, "on")),
      loses(Direction::write, lost.size()), sends(client.post(5, "/c", 5)),
      loses(Direction::read, 100),          reads(server.ok(5) + data(5, "three", kEndStream))};
  CHECK(transcript(turns) ==
        "http2\n"
        "#1 > POST /a 2 whole 0/0 []\n"
        "#1 < 200\n"
        "#1 + on\n"
        "#2 > POST /c 2 whole 0/0 [] !lost\n"
        "#1 gap\n"
        "#2 < 200\n"
        "#2 + three\n"
        "#2 . client whole 0/0 [] !lost |  whole 5/5 [three] !lost\n"
        "#1 . client whole 0/0 [] |  part 2/-1 [on] !lost\n");
}

TEST_CASE("http2: no block, table or number of streams exceeds its limits") {
  Encoder client;
  std::string block = client.block({{":method", "POST"}, {":path", "/bomb"}});
  block += client.block({{"x", std::string(3000, 'y')}});
  block.append(200'000, '\xbe');  // the newest entry, again and again
  std::string frames = kPreface + settings();
  for (std::size_t at = 0; at < block.size(); at += 16384) {
    const std::string piece = block.substr(at, 16384);
    const bool last = at + 16384 >= block.size();
    frames += frame(at == 0 ? 1 : 9, (at == 0 ? kEndStream : 0) | (last ? kEndHeaders : 0), 1, piece);
  }
  test::Transcript told;
  HttpConnection connection(told, {});
  connection.on_bytes(Direction::write, frames, {.entry_ns = 1, .return_ns = 1});
  CHECK(connection.held_bytes() < 1 << 20);
  connection.on_bytes(Direction::write,
                      [] {
                        std::string many;
                        Encoder other;
                        for (std::uint32_t stream = 3; stream < 2003; stream += 2)
                          many += data(stream, "") + frame(1, 4, stream, "\x83");
                        return many;
                      }(),
                      {.entry_ns = 2, .return_ns = 2});
  CHECK(connection.exchanges() == 1001);
  CHECK(connection.held_bytes() < 4 << 20);
  connection.on_end(EndCause::closed);
  INFO(told.text().substr(0, 500));
  CHECK(told.text().find("#1 > POST /bomb 2 whole 0/0 [] !over_limit") != std::string::npos);
}

}  // namespace oisp
