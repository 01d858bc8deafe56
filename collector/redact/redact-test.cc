#include <capnp/dynamic.h>
#include <capnp/message.h>

#include <algorithm>
#include <string>
#include <vector>

#include "collector/redact/redactor.h"
#include "tests/catch.h"

using namespace oisp;

namespace {

// Made-up keys, put together here so that no scanner takes this file for a leak.
std::string key(std::string prefix, std::size_t length) {
  static constexpr char kAlphabet[] = "a1B2c3D4e5F6g7H8i9J0";
  for (std::size_t i = 0; i < length; ++i) prefix += kAlphabet[i % (sizeof kAlphabet - 1)];
  return prefix;
}

// The text with each hash replaced by H, and with nothing where it was left alone.
std::string redacted(const Redactor& redactor, const std::string& text) {
  std::vector<std::string_view> found;
  auto out = redactor.redact_text(text, found);
  if (!out) return "";
  for (std::size_t at = 0; (at = out->find("[secret:", at)) != std::string::npos;) {
    const std::size_t end = out->find(']', at);
    out->replace(end - 8, 8, "H");
    at = end - 8;
  }
  return *out;
}

// Puts `text` into every text that a struct has; of a union, into the member given by `choice`.
void fill_all(capnp::DynamicStruct::Builder object, capnp::StructSchema::Field field, const std::string& text);
void fill_all(capnp::DynamicStruct::Builder object, unsigned choice, const std::string& text) {
  for (const auto field : object.getSchema().getNonUnionFields()) {
    if (field.getProto().isGroup()) {
      const auto members = field.getType().asStruct().getUnionFields();
      auto group = object.init(field).as<capnp::DynamicStruct>();
      if (choice < members.size()) fill_all(group, members[choice], text);
    } else {
      fill_all(object, field, text);
    }
  }
}
void fill_all(capnp::DynamicStruct::Builder object, capnp::StructSchema::Field field, const std::string& text) {
  const auto type = field.getType();
  if (type.isText()) {
    object.set(field, text.c_str());
  } else if (type.isStruct()) {
    fill_all(object.init(field).as<capnp::DynamicStruct>(), 0U, text);
  } else if (type.isList()) {
    auto list = object.init(field, 2).as<capnp::DynamicList>();
    const auto element = type.asList().getElementType();
    for (unsigned i = 0; i < 2; ++i) {
      if (element.isText()) list.set(i, text.c_str());
      if (element.isStruct()) fill_all(list[i].as<capnp::DynamicStruct>(), 0U, text);
    }
  }
}

bool carries(capnp::MallocMessageBuilder& message, const std::string& text) {
  for (const auto segment : message.getSegmentsForOutput()) {
    const auto bytes = segment.asBytes();
    if (std::search(bytes.begin(), bytes.end(), text.begin(), text.end()) != bytes.end()) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("keys of known form become markers wherever they stand") {
  const Redactor redactor;
  const std::vector<std::pair<std::string, std::string>> keys = {
      {"anthropic_key", key("sk-ant-api03-", 60)},
      {"openai_key", key("sk-proj-", 48)},
      {"openai_key", key("sk-svcacct-", 48)},
      {"openai_key", key("sk-", 48)},
      {"openai_key", key("sk-demo-", 24)},
      {"google_key", key("AIza", 35)},
      {"aws_access_key", "AKIA" + std::string("ABCDEFGH12345678")},
      {"aws_access_key", "ASIA" + std::string("ABCDEFGH12345678")},
      {"github_token", key("ghp_", 36)},
      {"github_token", key("gho_", 36)},
      {"github_token", key("ghs_", 36)},
      {"github_token", key("ghr_", 36)},
      {"github_token", key("github_pat_", 60)},
      {"gitlab_token", key("glpat-", 20)},
      {"slack_token", key("xoxb-", 40)},
      {"huggingface_token", key("hf_", 34)},
      {"groq_key", key("gsk_", 52)},
      {"stripe_key", key("sk_live_", 24)},
      {"npm_token", key("npm_", 36)},
      {"jwt", key("eyJ", 30) + "." + key("eyJ", 40) + "." + key("", 43)},
  };
  for (const auto& [type, secret] : keys) {
    CAPTURE(secret);
    const std::string mark = "[secret:" + type + ":H]";
    CHECK(redacted(redactor, secret) == mark);
    CHECK(redacted(redactor, "my key is " + secret + ", keep it") == "my key is " + mark + ", keep it");
    CHECK(redacted(redactor, R"({"cmd":"first line\n)" + secret + R"(\nthird \")" + secret + R"(\""})") ==
          R"({"cmd":"first line\n)" + mark + R"(\nthird \")" + mark + R"(\""})");
    CHECK(redacted(redactor, "KEY=" + secret) == "KEY=" + mark);
  }
}

TEST_CASE("secrets that are known by what stands before them") {
  const Redactor redactor;
  const std::string secret = key("", 24);
  CHECK(redacted(redactor, "Authorization: Bearer " + secret) == "Authorization: Bearer [secret:authorization:H]");
  CHECK(redacted(redactor, "use bearer " + secret + ".") == "use bearer [secret:bearer_token:H]");
  CHECK(redacted(redactor, "authorization: Basic " + secret) == "authorization: Basic [secret:authorization:H]");
  CHECK(redacted(redactor, "curl -H 'x-api-key: " + secret + "'") == "curl -H 'x-api-key: [secret:authorization:H]'");
  CHECK(redacted(redactor, R"({"Authorization":"Bearer )" + secret + R"("})") ==
        R"({"Authorization":"Bearer [secret:authorization:H]"})");
  CHECK(redacted(redactor, "https://ana:hunter2@example.org/x") == "https://ana:[secret:url_password:H]@example.org/x");
  CHECK(redacted(redactor, "/v1/models?key=" + secret + "&alt=sse") == "/v1/models?key=[secret:url_key:H]&alt=sse");
  CHECK(redacted(redactor, "/x?a=1&access_token=" + secret) == "/x?a=1&access_token=[secret:url_key:H]");
  CHECK(redacted(redactor, "?api_key=" + secret + "#top") == "?api_key=[secret:url_key:H]#top");
  CHECK(redacted(redactor, "aws_secret_access_key = " + key("", 40)) ==
        "aws_secret_access_key = [secret:aws_secret:H]");
  CHECK(redacted(redactor, "Cookie: session=abc123; theme=dark") == "Cookie: [secret:cookie:H]");
}

TEST_CASE("a private key goes whole, also inside JSON") {
  const Redactor redactor;
  const std::string begin =
      "-----BEGIN RSA PRIVATE"
      " KEY-----";
  const std::string end =
      "-----END RSA PRIVATE"
      " KEY-----";
  CHECK(redacted(redactor, "a\n" + begin + "\nMIIEow+/=\nAbc\n" + end + "\nb") == "a\n[secret:private_key:H]\nb");
  CHECK(redacted(redactor, R"({"k":")" + begin + R"(\nMIIEow\nAbc=\n)" + end + R"(\n"})") ==
        R"({"k":"[secret:private_key:H]\n"})");
  CHECK(redacted(redactor, R"({"k":")" + begin + R"(\nMIIEow"})") == R"({"k":"[secret:private_key:H]"})");
}

TEST_CASE("plain text is untouched") {
  const Redactor redactor;
  for (const std::string text : {
           "The risk-assessment-of-the-department-of-transportation is ready.",
           "disk-0123456789abcdef0123456789 and ask-the-audience-a-question",
           "The bearer responsibilities-and-more of a bearer authentication scheme",
           "api_key = os.environ['OPENAI_API_KEY']",
           "https://api.openai.com:443/v1/chat/completions?stream=true&key=abc",
           "git@github.com:ana/repo.git, sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
           "cookie: chocolate chip; authorization: see below",
           "def f(token): return token  # -----BEGIN CERTIFICATE-----",
           "[secret:anthropic_key:3f9ac21b] /v1?key=[secret:url_key:00112233]",
           "0123456789abcdef0123456789abcdef 8f14e45f-ceea-467f-a0e6-b1d0f8a7b6c5",
       }) {
    CAPTURE(text);
    std::vector<std::string_view> found;
    CHECK_FALSE(redactor.redact_text(text, found).has_value());
    CHECK(found.empty());
  }
}

TEST_CASE("a secret has one marker in a run, and another in the next") {
  const Redactor redactor;
  const Redactor next;
  std::vector<std::string_view> found;
  const std::string secret = key("sk-ant-", 40);
  const auto first = redactor.redact_text(secret, found);
  CHECK(first == redactor.redact_text(secret, found));
  CHECK(first != next.redact_text(secret, found));
  CHECK(first != redactor.redact_text(secret + "x", found));
}

TEST_CASE("no text of any kind of event is left out, and the event says what was found") {
  Redactor redactor;
  const std::string secret = key("sk-ant-", 40);
  const unsigned kinds = capnp::Schema::from<schema::Event::Data>().getUnionFields().size();
  CHECK(kinds >= 14);
  for (unsigned kind = 0; kind < kinds; ++kind) {
    CAPTURE(kind);
    capnp::MallocMessageBuilder message;
    auto event = message.initRoot<schema::Event>();
    fill_all(capnp::DynamicStruct::Builder(event), kind, "a " + secret + " b");
    REQUIRE(carries(message, secret));
    redactor.redact_event(event);
    CHECK_FALSE(carries(message, secret));  // also not in what no pointer leads to any more
    const auto secrets = event.asReader().getExt().getOispSensor().getSecrets();
    REQUIRE(secrets.size() == 1);
    CHECK(std::string(secrets[0].getType().cStr()) == "anthropic_key");
    CHECK(secrets[0].getCount() > 20);
  }
}
