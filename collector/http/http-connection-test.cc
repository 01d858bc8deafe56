#include "collector/http/http-connection.h"

#include <brotli/encode.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>

#include "collector/http/transcript.h"
#include "tests/catch.h"

namespace oisp {
namespace {

using test::loses;
using test::reads;
using test::sends;
using test::transcript;
using test::Turn;

std::string deflated(std::string_view text, int window) {
  z_stream stream = {};
  REQUIRE(::deflateInit2(&stream, 6, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string out(::deflateBound(&stream, text.size()) + 32, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  REQUIRE(::deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  (void)::deflateEnd(&stream);
  return out;
}
std::string brotlied(std::string_view text) {
  std::string out(::BrotliEncoderMaxCompressedSize(text.size()) + 16, '\0');
  std::size_t size = out.size();
  REQUIRE(::BrotliEncoderCompress(5, BROTLI_DEFAULT_WINDOW, BROTLI_MODE_TEXT, text.size(),
                                  reinterpret_cast<const std::uint8_t*>(text.data()), &size,
                                  reinterpret_cast<std::uint8_t*>(out.data())) == BROTLI_TRUE);
  out.resize(size);
  return out;
}
std::string zstded(std::string_view text) {
  std::string out(::ZSTD_compressBound(text.size()), '\0');
  out.resize(::ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3));
  return out;
}
std::string gzipped(std::string_view text) { return deflated(text, MAX_WBITS + 16); }

std::string response(std::string_view headers, std::string_view body) {
  return "HTTP/1.1 200 OK\r\n" + std::string(headers) + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
         std::string(body);
}

constexpr const char* kGet = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";
constexpr const char* kPost = "POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello";

// The same however the bytes are cut, whether the pieces are chunks of a call or calls of their own.
void check(const std::vector<Turn>& turns, const std::string& expected, EndCause end = EndCause::closed) {
  REQUIRE(transcript(turns, end) == expected);
  for (const bool own_calls : {false, true}) {
    CHECK(transcript(turns, 1, own_calls, turns.size(), 0, end) == expected);
    for (std::size_t i = 0; i < turns.size(); ++i) {
      for (std::size_t at = 1; at < turns[i].bytes.size(); ++at) {
        const std::string text = transcript(turns, std::string::npos, own_calls, i, at, end);
        if (text != expected) {
          INFO("turn " << i << " split at " << at << ", own calls " << own_calls);
          REQUIRE(text == expected);
        }
      }
    }
  }
}

}  // namespace

TEST_CASE("keep-alive: requests and answers are numbered and paired") {
  check({sends(kGet), reads(response("", "one")), sends(kPost), reads(response("", ""))},
        "http1\n"
        "#1 > GET /a 1.1 whole 0/0 []\n"
        "#1 < 200\n"
        "#1 + one\n"
        "#1 . client whole 0/0 [] |  whole 3/3 [one]\n"
        "#2 > POST /b 1.1 whole 5/5 [hello]\n"
        "#2 < 200\n"
        "#2 . client whole 5/5 [hello] |  whole 0/0 []\n");
}

TEST_CASE("the watched process may be the server") {
  check({reads(kPost), sends(response("", "one"))},
        "http1\n"
        "#1 > POST /b 1.1 whole 5/5 [hello]\n"
        "#1 < 200\n"
        "#1 + one\n"
        "#1 . server whole 5/5 [hello] |  whole 3/3 [one]\n");
}

TEST_CASE("pipelined requests are answered in order") {
  check({sends(std::string(kGet) + kPost + "HEAD /c HTTP/1.1\r\n\r\n"),
         reads(response("", "one") + response("", "two") + "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n")},
        "http1\n"
        "#1 > GET /a 1.1 whole 0/0 []\n"
        "#2 > POST /b 1.1 whole 5/5 [hello]\n"
        "#3 > HEAD /c 1.1 whole 0/0 []\n"
        "#1 < 200\n"
        "#1 + one\n"
        "#1 . client whole 0/0 [] |  whole 3/3 [one]\n"
        "#2 < 200\n"
        "#2 + two\n"
        "#2 . client whole 5/5 [hello] |  whole 3/3 [two]\n"
        "#3 < 200\n"
        "#3 . client whole 0/0 [] |  whole 0/0 []\n");
}

TEST_CASE("chunked bodies, both ways, with extensions and trailers") {
  check({sends("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"),
         reads("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nwxyz\r\n0\r\nX-Sum: 1\r\n\r\n"), sends(kGet),
         reads(response("", "z"))},
        "http1\n"
        "#1 > POST / 1.1 whole 5/5 [abcde]\n"
        "#1 < 200\n"
        "#1 + wxyz\n"
        "#1 . client whole 5/5 [abcde] |  whole 4/4 [wxyz]\n"
        "#2 > GET /a 1.1 whole 0/0 []\n"
        "#2 < 200\n"
        "#2 + z\n"
        "#2 . client whole 0/0 [] |  whole 1/1 [z]\n");
}

TEST_CASE("answers without a body, whatever their headers say") {
  check({sends("HEAD / HTTP/1.1\r\n\r\n"), reads("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), sends(kGet),
         reads("HTTP/1.1 304 Not Modified\r\nContent-Length: 12\r\n\r\n"), sends(kGet),
         reads("HTTP/1.1 204 No Content\r\n\r\n"), sends(kGet), reads(response("", "x"))},
        "http1\n"
        "#1 > HEAD / 1.1 whole 0/0 []\n#1 < 200\n#1 . client whole 0/0 [] |  whole 0/0 []\n"
        "#2 > GET /a 1.1 whole 0/0 []\n#2 < 304\n#2 . client whole 0/0 [] |  whole 0/0 []\n"
        "#3 > GET /a 1.1 whole 0/0 []\n#3 < 204\n#3 . client whole 0/0 [] |  whole 0/0 []\n"
        "#4 > GET /a 1.1 whole 0/0 []\n#4 < 200\n#4 + x\n#4 . client whole 0/0 [] |  whole 1/1 [x]\n");
}

TEST_CASE("interim answers are not the answer") {
  check({sends("POST /b HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"),
         reads("HTTP/1.1 100 Continue\r\n\r\n"), sends("ab"),
         reads("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + response("", "ok"))},
        "http1\n"
        "#1 > POST /b 1.1 whole 2/2 [ab]\n"
        "#1 < 200\n"
        "#1 + ok\n"
        "#1 . client whole 2/2 [ab] |  whole 2/2 [ok]\n");
}

TEST_CASE("a body without a length ends with the stream") {
  const std::vector<Turn> turns = {sends("GET / HTTP/1.0\r\n\r\n"), reads("HTTP/1.0 200 OK\r\n\r\nuntil the end")};
  check(turns,
        "http1\n#1 > GET / 1.0 whole 0/0 []\n#1 < 200\n#1 + until the end\n"
        "#1 . client whole 0/0 [] |  whole 13/13 [until the end]\n");
  check(turns,
        "http1\n#1 > GET / 1.0 whole 0/0 []\n#1 < 200\n#1 + until the end\n"
        "#1 . client whole 0/0 [] |  part 13/13 [until the end] !stream_ended\n",
        EndCause::process_ended);
}

TEST_CASE("a stream that breaks off says so") {
  check({sends(kGet), reads("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")},
        "http1\n#1 > GET /a 1.1 whole 0/0 []\n#1 < 200\n#1 + half\n"
        "#1 . client whole 0/0 [] |  part 4/4 [half] !stream_ended\n");
  check({sends("POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nhalf")},
        "http1\n#1 > POST / 1.1 part 4/4 [half] !stream_ended\n"
        "#1 . client part 4/4 [half] !stream_ended |  part 0/-1 [] !stream_ended\n");
  check({sends("POST / HTTP/1.1\r\nContent-Len")},
        "http1\n#1 . client !stream_ended - |  part 0/-1 [] !stream_ended\n");
  check({sends(kGet)}, "http1\n#1 > GET /a 1.1 whole 0/0 []\n#1 . client whole 0/0 [] |  part 0/-1 [] !stream_ended\n");
}

TEST_CASE("an answer that comes before the request is whole") {
  check({sends("POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nhalf"),
         reads("HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno")},
        "http1\n#1 > POST / 1.1 part 4/4 [half] !answered_early\n#1 < 413\n#1 + no\n"
        "#1 . client part 4/4 [half] !stream_ended !answered_early |  whole 2/2 [no]\n");
  check({sends("POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nhalf"), reads(response("", "ok")), sends("second")},
        "http1\n#1 > POST / 1.1 part 4/4 [half] !answered_early\n#1 < 200\n#1 + ok\n"
        "#1 . client whole 10/10 [halfsecond] |  whole 2/2 [ok]\n");
}

TEST_CASE("compressed bodies, in every coding that is decoded") {
  const std::string text = "some text, some text, some text";
  for (const auto& [name, body] : {std::pair<std::string, std::string>{"gzip", gzipped(text)},
                                   {"X-GZIP", gzipped(text)},
                                   {"br", brotlied(text)},
                                   {"zstd", zstded(text)},
                                   {"zstd", zstded(text.substr(0, 9)) + zstded(text.substr(9))},
                                   {"deflate", deflated(text, MAX_WBITS)},
                                   {"deflate", deflated(text, -MAX_WBITS)},
                                   {"gzip", gzipped(text.substr(0, 9)) + gzipped(text.substr(9))},
                                   {"gzip", gzipped(text) + std::string(3, '\0')}}) {
    check({sends(kGet), reads(response("Content-Encoding: " + name + "\r\n", body))},
          "http1\n#1 > GET /a 1.1 whole 0/0 []\n#1 < 200\n#1 + " + text + "\n#1 . client whole 0/0 [] |  whole " +
              std::to_string(body.size()) + "/31 [" + text + "]\n");
  }
}

TEST_CASE("bodies that cannot be decoded keep their size and say why") {
  check({sends(kGet), reads(response("Content-Encoding: compress\r\n", "\x0b\x01"))},
        "http1\n#1 > GET /a 1.1 whole 0/0 []\n#1 < 200\n"
        "#1 . client whole 0/0 [] |  whole 2/-1 [\x0b\x01] !encoding_not_decoded\n");
  check({sends(kGet), reads(response("Content-Encoding: gzip\r\n", "plain text"))},
        "http1\n#1 > GET /a 1.1 whole 0/0 []\n#1 < 200\n"
        "#1 . client whole 0/0 [] |  whole 10/-1 [] !encoding_broken\n");
  for (const auto& [name, body] :
       {std::pair{"gzip", gzipped("abc")}, {"br", brotlied("abc")}, {"zstd", zstded("abc")}}) {
    const std::string header = "Content-Encoding: " + std::string(name) + "\r\n";
    const std::string half = body.substr(0, body.size() - 2);
    CHECK(transcript({sends(kGet), reads(response(header, half))}).find("!encoding_broken") != std::string::npos);
    CHECK(transcript({sends(kGet), reads(response(header, "not packed at all"))}).find("!encoding_broken") !=
          std::string::npos);
  }
}

TEST_CASE("decompression is bounded, and sizes stay true up to the bound") {
  HttpLimits limits;
  limits.max_body = 1000;
  limits.max_inflated = 100'000;
  limits.max_ratio = 2000;
  const std::string small = gzipped(std::string(50'000, 'a'));
  CHECK(transcript({sends(kGet), reads(response("Content-Encoding: gzip\r\n", small))}, EndCause::closed, limits)
            .find("/50000 [1000] !body_too_large") != std::string::npos);
  limits.max_ratio = 200;
  CHECK(transcript({sends(kGet), reads(response("Content-Encoding: gzip\r\n", small))}, EndCause::closed, limits)
            .find("/-1 [1000] !body_too_large") != std::string::npos);
  const std::string much(20'000'000, 'a');
  for (const auto& [name, bomb] : {std::pair{"gzip", gzipped(much)}, {"br", brotlied(much)}, {"zstd", zstded(much)}}) {
    const std::string header = "Content-Encoding: " + std::string(name) + "\r\n";
    CHECK(transcript({sends(kGet), reads(response(header, bomb))}, EndCause::closed, limits)
              .find("/-1 [1000] !body_too_large") != std::string::npos);
  }
}

TEST_CASE("large bodies and many requests stay within the connection's memory") {
  HttpLimits limits;
  limits.max_body = 1000;
  limits.max_kept = 2500;
  limits.max_open = 4;
  test::Transcript told;
  HttpConnection connection(told, limits);
  test::Feeder feeder(connection, true);
  const std::string post = "POST / HTTP/1.1\r\nContent-Length: 2000\r\n\r\n" + std::string(2000, 'x');
  for (int i = 0; i < 20; ++i) {
    feeder.feed(Direction::write, post);
    CHECK(connection.held_bytes() < 20'000);
  }
  CHECK(told.text().find("#1 . client whole 2000/2000 [1000] !body_too_large |  part 0/-1 [] !over_limit") !=
        std::string::npos);
  CHECK(told.text().find("#3 > POST / 1.1 whole 2000/2000 [500] !body_too_large") != std::string::npos);
  connection.on_end(EndCause::closed);
  CHECK(connection.held_bytes() < 1000);
}

TEST_CASE("a head beyond the limit is given up") {
  std::string head = "GET / HTTP/1.1\r\n";
  while (head.size() < std::size_t{300} << 10) {
    head += "X-Filler: " + std::string(1000, 'x') + "\r\n";
  }
  CHECK(transcript({sends(head), reads(response("", "no"))}) ==
        "http1\n#1 < 200\n#1 + no\n#1 . client !over_limit - |  whole 2/2 [no]\n");
  std::string many = "GET / HTTP/1.1\r\n";
  for (int i = 0; i < 2000; ++i) {
    many += "a: b\r\n";
  }
  CHECK(transcript({sends(many + "\r\n")}).find("over_limit") != std::string::npos);
}

TEST_CASE("after an upgrade nothing is decoded any more") {
  check({sends("GET /chat HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"),
         reads("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x02hi"),
         sends("\x81\x82xxxxxx"), reads("HTTP/1.1 200 OK\r\n\r\n")},
        "http1\n#1 > GET /chat 1.1 whole 0/0 []\n#1 < 101\n"
        "#1 . client whole 0/0 [] |  whole 0/0 []\nupgraded\n");
  check({sends("CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n"), reads("HTTP/1.1 200 OK\r\n\r\n"), sends("\x16\x03")},
        "http1\n#1 > CONNECT h:443 1.1 whole 0/0 []\n#1 < 200\n"
        "#1 . client whole 0/0 [] |  whole 0/0 []\nupgraded\n");
}

TEST_CASE("an upgrade that is refused changes nothing") {
  check({sends("GET / HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n"),
         reads(response("", "no")), sends(kGet), reads(response("", "yes"))},
        "http1\n#1 > GET / 1.1 whole 0/0 []\n#1 < 200\n#1 + no\n#1 . client whole 0/0 [] |  whole 2/2 [no]\n"
        "#2 > GET /a 1.1 whole 0/0 []\n#2 < 200\n#2 + yes\n#2 . client whole 0/0 [] |  whole 3/3 [yes]\n");
}

TEST_CASE("other protocols are told apart by their first bytes") {
  check({sends("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), reads(std::string("\0\0\0\4\0\0\0\0\0", 9))}, "http2\n");
  check({reads(std::string("\0\0\x12\4\0\0\0\0\0\0\3", 11)), sends("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")}, "http2\n");
  check({reads("220 mail ESMTP\r\n"), sends("EHLO x\r\n")}, "not_http\n");
  check({sends("GET lost\r\n")}, "not_http\n");
  check({sends("GETTER /x HTTP/1.1\r\n")}, "not_http\n");
  check({sends(std::string("\x10\x0e\0\4MQTT", 8))}, "not_http\n");
  check({}, "");
}

TEST_CASE("joined inside a message: the next one is found at the beginning of a call") {
  const Turn late_write = loses(Direction::write, 0, Missing::joined_late);
  const Turn late_read = loses(Direction::read, 0, Missing::joined_late);
  check({late_write, late_read, reads("HTTP/1.1 2 is not the beginning"), reads(response("", "old")), sends(kGet),
         reads(response("", "new"))},
        "http1\n#1 < 200\n#1 + old\n#1 . client !joined_late - |  whole 3/3 [old]\n"
        "#2 > GET /a 1.1 whole 0/0 []\n#2 < 200\n#2 + new\n#2 . client whole 0/0 [] |  whole 3/3 [new]\n");
  check({late_write, late_read, sends("rest of a body"), sends(kGet), reads("rest of an answer"),
         reads(response("", "new"))},
        "http1\n#1 > GET /a 1.1 whole 0/0 []\n#1 < 200\n#1 + new\n#1 . client whole 0/0 [] |  whole 3/3 [new]\n");
  check({late_write, late_read, sends("nothing known")}, "");
}

TEST_CASE("joined late on HTTP/2: frames are known by their chain") {
  const std::string data("\0\0\5\0\1\0\0\0\1hello", 14);
  CHECK(transcript({loses(Direction::write, 0, Missing::joined_late), sends(data + data)}) == "http2\n");
  CHECK(transcript({loses(Direction::write, 0, Missing::joined_late), sends("a text body")}).empty());
}

TEST_CASE("a gap inside a body of known length: the message goes on") {
  check({sends(kGet), reads("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nab"), loses(Direction::read, 5),
         reads("xyz" + response("", "")), sends(kGet), reads(response("", "n"))},
        "http1\n#1 > GET /a 1.1 whole 0/0 []\n#1 < 200\n#1 + ab\n#1 gap\n#1 + xyz\n"
        "#1 . client whole 0/0 [] |  whole 10/10 [ab] !lost\n"
        "#2 < 200\n#2 . client - |  whole 0/0 []\n"
        "#3 > GET /a 1.1 whole 0/0 []\n#3 < 200\n#3 + n\n#3 . client whole 0/0 [] |  whole 1/1 [n]\n");
  check({sends("POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nab"), loses(Direction::write, 8, Missing::cut),
         reads(response("", "ok"))},
        "http1\n#1 > POST / 1.1 whole 10/10 [ab] !cut\n#1 < 200\n#1 + ok\n"
        "#1 . client whole 10/10 [ab] !cut |  whole 2/2 [ok]\n");
}

TEST_CASE("a gap inside a chunk: the message goes on") {
  check({sends(kGet), reads("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\nab"), loses(Direction::read, 4),
         reads("yz\r\n0\r\n\r\n"), sends(kGet), reads(response("", "n"))},
        "http1\n#1 > GET /a 1.1 whole 0/0 []\n#1 < 200\n#1 + ab\n#1 gap\n#1 + yz\n"
        "#1 . client whole 0/0 [] |  whole 8/8 [ab] !lost\n"
        "#2 > GET /a 1.1 whole 0/0 []\n#2 < 200\n#2 + n\n#2 . client whole 0/0 [] |  whole 1/1 [n]\n");
}

TEST_CASE("a gap that cannot be bridged ends the message; the next one is found") {
  check({sends(kGet), reads("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\nab"), loses(Direction::read, 9),
         reads("yz\r\n0\r\n\r\n"), sends(kGet), reads(response("", "n"))},
        "http1\n#1 > GET /a 1.1 whole 0/0 []\n#1 < 200\n#1 + ab\n"
        "#1 . client whole 0/0 [] |  part 2/2 [ab] !lost\n"
        "#2 > GET /a 1.1 whole 0/0 []\n#2 < 200\n#2 + n\n#2 . client whole 0/0 [] |  whole 1/1 [n]\n");
  // The end of the first answer and all of the second were lost: the third request's answer is its own.
  check({sends(kGet), reads("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab"), sends(kPost), sends(kGet),
         loses(Direction::read, 100), reads(response("", "n"))},
        "http1\n#1 > GET /a 1.1 whole 0/0 []\n#1 < 200\n#1 + ab\n"
        "#2 > POST /b 1.1 whole 5/5 [hello]\n#3 > GET /a 1.1 whole 0/0 []\n"
        "#1 gap\n#1 . client whole 0/0 [] |  whole 4/4 [ab] !lost\n"
        "#2 . client whole 5/5 [hello] |  part 0/-1 [] !lost\n"
        "#3 < 200\n#3 + n\n#3 . client whole 0/0 [] |  whole 1/1 [n]\n");
}

TEST_CASE("lost requests: the answers say so") {
  check({sends(kGet), reads(response("", "1")), loses(Direction::write, 100), reads(response("", "2")), sends(kGet),
         reads(response("", "3"))},
        "http1\n#1 > GET /a 1.1 whole 0/0 []\n#1 < 200\n#1 + 1\n#1 . client whole 0/0 [] |  whole 1/1 [1]\n"
        "#2 < 200\n#2 + 2\n#2 . client !lost - |  whole 1/1 [2]\n"
        "#3 > GET /a 1.1 whole 0/0 []\n#3 < 200\n#3 + 3\n#3 . client whole 0/0 [] |  whole 1/1 [3]\n");
  check({sends("POST / HTTP/1.1\r\nContent-"), loses(Direction::write, 10), sends(": 3\r\n\r\nabc"),
         reads(response("", "ok"))},
        "http1\n#1 < 200\n#1 + ok\n#1 . client !lost - |  whole 2/2 [ok]\n");
}

TEST_CASE("an answer to a request that was lost is not given to an older one") {
  test::Transcript told;
  HttpConnection connection(told, {});
  connection.on_bytes(Direction::write, kGet, {.entry_ns = 1, .return_ns = 1});
  connection.on_gap(Direction::read, 100, Missing::lost);
  connection.on_bytes(Direction::read, response("", "two"), {.entry_ns = 2, .return_ns = 2, .other_is_behind = true});
  connection.on_end(EndCause::closed);
  CHECK(told.text() ==
        "http1\n"
        "#1 > GET /a 1.1 whole 0/0 []\n"
        "#1 . client whole 0/0 [] |  part 0/-1 [] !lost\n"
        "#2 < 200\n"
        "#2 + two\n"
        "#2 . client !lost - |  whole 3/3 [two]\n");
}

TEST_CASE("what stops being HTTP in the middle is malformed, and the next message is found") {
  check({sends(kGet), reads("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnot hex\r\n"), sends(kGet),
         reads(response("", "n"))},
        "http1\n#1 > GET /a 1.1 whole 0/0 []\n#1 < 200\n"
        "#1 . client whole 0/0 [] |  part 0/0 [] !malformed\n"
        "#2 > GET /a 1.1 whole 0/0 []\n#2 < 200\n#2 + n\n#2 . client whole 0/0 [] |  whole 1/1 [n]\n");
}

TEST_CASE("targets in every form") {
  HttpRequest request;
  request.method = "GET";
  request.target = "/v1/x?key=https://a/b";
  request.headers.add("hOST", "api.example:8443");
  CHECK(request.host() == "api.example:8443");
  CHECK(request.path() == "/v1/x");
  CHECK(request.path_and_query() == "/v1/x?key=https://a/b");
  request.target = "https://other.example/v2/y?q#f";
  CHECK(request.host() == "other.example");
  CHECK(request.path() == "/v2/y");
  request.target = "https://other.example";
  CHECK(request.path() == "/");
  request.target = "*";
  CHECK(request.path() == "*");
  request.method = "CONNECT";
  request.target = "h:443";
  CHECK(request.host() == "h:443");
}

TEST_CASE("times: of the calls, as the process sees them") {
  struct Times : test::Transcript {
    void on_finished(const Exchange& exchange) override { times = exchange.times; }
    ExchangeTimes times;
  } told;
  HttpConnection connection(told, {});
  const std::string post = kPost;
  connection.on_bytes(Direction::write, std::string_view(post).substr(0, 3), {10, 11});
  connection.on_bytes(Direction::write, std::string_view(post).substr(3), {20, 21});
  connection.on_bytes(Direction::read, "HTTP/1.1 100 Continue\r\n\r\n", {25, 26});
  connection.on_bytes(Direction::read, "HTT", {30, 40});
  connection.on_bytes(Direction::read, "P/1.1 200 OK\r\nContent-Length: 4\r\n\r\n", {41, 50});
  connection.on_bytes(Direction::read, "ab", {51, 60});
  connection.on_bytes(Direction::read, "cd", {61, 70});
  CHECK(told.times.request_first_ns == 10);
  CHECK(told.times.request_last_ns == 20);
  CHECK(told.times.response_first_ns == 40);
  CHECK(told.times.response_body_ns == 60);
  CHECK(told.times.response_last_ns == 70);
}

TEST_CASE("a session that is used again begins anew") {
  test::Transcript told;
  HttpConnection connection(told, {});
  connection.on_bytes(Direction::write, kGet, {1, 2});
  connection.on_end(EndCause::closed);
  CHECK(connection.protocol() == Protocol::http1);
  connection.on_bytes(Direction::write, "\x16\x03", {3, 4});
  CHECK(connection.protocol() == Protocol::not_http);
  CHECK(connection.exchanges() == 1);
}

}  // namespace oisp
