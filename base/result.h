// Errors as values: a must-use Result, and Fault for failures of the environment.
//
// Result<T> fails with a Fault, which carries context and is forwarded until one place logs or
// shows it. Result<T, SomeEnum> fails with a parse error that the caller turns into a decision.
#pragma once

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>
#include <variant>

namespace oisp {

// A failure of the environment: what was tried, and errno (0 where there is none).
struct Fault {
  std::string what;
  int error = 0;

  [[nodiscard]] std::string text() const { return error == 0 ? what : what + ": " + std::strerror(error); }
};

inline Fault fault(std::string what) { return Fault{.what = std::move(what), .error = 0}; }
// errno is read here: call it right after the call that failed.
inline Fault errno_fault(std::string what) {
  const int error = errno;
  return Fault{.what = std::move(what), .error = error};
}

struct Done {};

template <typename T, typename E = Fault>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}  // NOLINT: implicit by design
  Result(E error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT: implicit by design

  [[nodiscard]] bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }
  [[nodiscard]] T& value() & { return std::get<0>(state_); }
  [[nodiscard]] const T& value() const& { return std::get<0>(state_); }
  [[nodiscard]] T&& value() && { return std::get<0>(std::move(state_)); }
  [[nodiscard]] const E& error() const { return std::get<1>(state_); }
  T* operator->() { return &std::get<0>(state_); }
  T& operator*() & { return std::get<0>(state_); }

 private:
  std::variant<T, E> state_;
};

using Status = Result<Done>;

}  // namespace oisp

// Forwards a failure to the caller, whose Result has the same error type.
#define OISP_TRY(expression)                              \
  do {                                                    \
    if (auto oisp_try_ = (expression); !oisp_try_.ok()) { \
      return oisp_try_.error();                           \
    }                                                     \
  } while (false)
