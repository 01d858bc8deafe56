// Memory of a BPF map, shared with the kernel, with one owner.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <memory>

#include "base/result.h"

namespace oisp {

struct Unmap {
  std::size_t bytes = 0;
  void operator()(void* memory) const { (void)::munmap(memory, bytes); }
};

template <typename T>
using Mapping = std::unique_ptr<T, Unmap>;

// `map` is the map's descriptor and stays the caller's; `protection` and `offset` as for mmap.
template <typename T>
Result<Mapping<T>> map_shared(int map, std::size_t bytes, int protection, std::size_t offset = 0) {
  void* memory = ::mmap(nullptr, bytes, protection, MAP_SHARED, map, static_cast<off_t>(offset));
  if (memory == MAP_FAILED) return errno_fault("share a map's memory");
  return Mapping<T>(static_cast<T*>(memory), Unmap{bytes});
}

}  // namespace oisp
