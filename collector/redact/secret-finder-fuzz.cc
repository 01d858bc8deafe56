// Any bytes: the search by words must find what one expression finds.
#include <cstdint>

#include "base/bug.h"
#include "collector/redact/test-expression.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace oisp;
  static const SecretFinder finder;
  static const test::OneExpression expression;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  OISP_BUG_IF(!test::same(test::find_all(finder, text), expression.find(text)));
  return 0;
}
