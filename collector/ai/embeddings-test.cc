#include "collector/ai/test-exchanges.h"

namespace oisp {
namespace {

using test::check;
using test::has;
using test::lacks;

std::string openai(const std::string& request, const std::string& response) {
  return check(test::exchange("api.openai.com", "/v1/embeddings", request, test::kJson, response));
}

}  // namespace

TEST_CASE("embeddings: texts, and how many numbers they became") {
  std::string text = openai(
      R"({"model":"text-embedding-3-small","input":["The food","was d\u00e9licieux"],"dimensions":4,"encoding_format":"float","user":"u"})",
      R"({"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.0023064255,-0.009,1e-3,0]},{"object":"embedding","index":1,"embedding":[1,2,3,4]}],"model":"text-embedding-3-small","usage":{"prompt_tokens":8,"total_tokens":9}})");
  CHECK(has(
      text,
      R"("provider":{"name":"openai","endpoint":"https://api.openai.com/v1/embeddings"},"model":{"id":"text-embedding-3-small"},"request_type":"embedding","dialect":"openai.embeddings","parameters":{"dimensions":4,"encoding_format":"float"})"));
  CHECK(has(text, "\"input\":[\"The food\",\"was d\xc3\xa9licieux\"],\"input_count\":2,\"input_bytes\":22}"));
  CHECK(has(
      text,
      R"("status_code":200,"success":true,"input_count":2,"input_bytes":22,"embedding_count":2,"dimensions":4,"total_tokens":9,"usage":{"prompt_tokens":8,"total_tokens":9},"latency_ms":0})"));
  CHECK(lacks(text, "0.0023"));  // the numbers are not kept
  CHECK(has(text, "known_endpoint request: response:\n"));
}

TEST_CASE("embeddings: every form of input, and base64") {
  // Six floats are 24 bytes, in base64 32 characters.
  const std::string answer = R"({"data":[{"embedding":"AACAPwAAAEAAAEBAAACAQAAAoEAAAMBA"}]})";
  CHECK(has(openai(R"({"model":"m","input":"x"})", answer),
            R"("input_count":1,"input_bytes":1,"embedding_count":1,"dimensions":6)"));
  CHECK(has(openai(R"({"model":"m","input":[1,2,3]})", answer), R"("input_count":1,"embedding_count":1)"));
  CHECK(has(openai(R"({"model":"m","input":[[1,2],[3],[4]]})", answer), R"("input_count":3,"embedding_count":1)"));
  CHECK(has(openai(R"({"model":"m","input":[]})", answer), R"("input_count":0,"embedding_count":1)"));
  CHECK(has(openai(R"({"model":"m","input":{"a":1}})", "{}"), R"("success":true,"input_count":0)"));
  CHECK(has(openai(R"({"model":"m","input":"x"})", R"({"data":{},"usage":[],"model":1})"), R"("embedding_count":0)"));
  CHECK(has(openai(R"({"model":"m","input":"x"})", R"({"data":[{"embedding":[)"), "!malformed"));
}

TEST_CASE("embeddings: of Ollama, now and before") {
  std::string text = check(test::exchange(
      "localhost:11434", "/api/embed", R"({"model":"all-minilm","input":["a","b"],"truncate":true})", test::kJson,
      R"({"model":"all-minilm","embeddings":[[0.1,0.2,0.3],[0.4,0.5,0.6]],"total_duration":14143917,"load_duration":1019500,"prompt_eval_count":8})"));
  CHECK(has(text, R"("provider":{"name":"ollama")"));
  CHECK(has(text, R"("request_type":"embedding","dialect":"ollama.embed")"));
  CHECK(has(
      text,
      R"("input_count":2,"input_bytes":2,"embedding_count":2,"dimensions":3,"total_tokens":8,"usage":{"prompt_tokens":8},"latency_ms":0,"durations":{"total":14143917,"load":1019500})"));
  text = check(test::exchange("localhost:11434", "/api/embeddings", R"({"model":"m","prompt":"abc"})", test::kJson,
                              R"({"embedding":[0.1,0.2]})"));
  CHECK(has(
      text,
      R"("model":{"id":"m"},"status_code":200,"success":true,"input_count":1,"input_bytes":3,"embedding_count":1,"dimensions":2)"));
}

TEST_CASE("embeddings: errors") {
  test::AiCase one = test::exchange("api.openai.com", "/v1/embeddings", R"({"model":"m","input":"x"})", "", "");
  one.response = test::answer(429, test::kJson, R"({"error":{"message":"slow down","type":"requests","code":null}})");
  CHECK(has(check(one), R"("status_code":429,"success":false,"error":{"type":"requests","message":"slow down"})"));
  one.response.clear();
  CHECK(has(check(one), "response: !stream_ended\n"));
}

TEST_CASE("embeddings: as many as there are, the events fit a frame") {
  const auto of = [](const std::string& input, const std::string& data) {
    return test::exchange("api.openai.com", "/v1/embeddings", input, test::kJson, data);
  };
  const std::string numbers = test::filled(R"({"data":[{"embedding":[)", "1.5,", "]}]}");
  test::check_bounds(of(test::filled(R"({"model":"m","input":[)", R"("",)", "]}"), numbers));
  test::check_bounds(of(test::filled(R"({"model":"m","input":[)", "[1],", "]}"), numbers), false);
  test::check_bounds(of(test::filled(R"({"model":"m","input":")", "words", "\"}"), numbers), false);
}

}  // namespace oisp
