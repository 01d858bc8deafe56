// How a libuv handle is owned: by a unique_ptr whose deleter asks libuv to close it; the memory goes
// in the close callback, because libuv uses it until then. Only for the files of this folder.
#pragma once

#include <uv.h>

#include <memory>

namespace oisp {

// T has a libuv handle named `handle` as its first member, and `handle.data` is never used.
template <typename T>
struct CloseHandle {
  void operator()(T* owned) const {
    ::uv_close(reinterpret_cast<uv_handle_t*>(&owned->handle),
               [](uv_handle_t* handle) noexcept { delete reinterpret_cast<T*>(handle); });
  }
};

template <typename T>
using Handle = std::unique_ptr<T, CloseHandle<T>>;

}  // namespace oisp
