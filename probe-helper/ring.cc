#include "probe-helper/ring.h"

#include <bpf/bpf.h>
#include <unistd.h>

#include <algorithm>

namespace oisp {

namespace {

std::uint32_t header_at(const std::byte* record) {
  // The kernel clears the busy bit last: what is seen after it is whole.
  return __atomic_load_n(reinterpret_cast<const std::uint32_t*>(record), __ATOMIC_ACQUIRE);
}

}  // namespace

std::size_t whole_records(std::span<const std::byte> ring, std::size_t most) {
  most = std::min(most, ring.size());
  std::size_t end = 0;
  while (end + kRingHeaderBytes <= most) {
    const std::uint32_t header = header_at(ring.data() + end);
    const std::size_t length = header & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);
    const std::size_t step = (kRingHeaderBytes + length + 7) / 8 * 8;
    if ((header & BPF_RINGBUF_BUSY_BIT) != 0 || step > most - end) break;
    end += step;
  }
  return end;
}

std::span<const std::byte> first_payload(std::span<const std::byte> records) {
  const std::uint32_t header = header_at(records.data());
  if ((header & BPF_RINGBUF_DISCARD_BIT) != 0) return {};
  return records.subspan(kRingHeaderBytes, header & ~BPF_RINGBUF_BUSY_BIT);
}

Result<Ring> Ring::map(int map) {
  bpf_map_info info{};
  __u32 length = sizeof info;
  if (::bpf_obj_get_info_by_fd(map, &info, &length) != 0) return errno_fault("read what a ring is");
  Ring ring;
  ring.page_ = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  ring.size_ = info.max_entries;
  auto consumer = map_shared<std::uint64_t>(map, ring.page_, PROT_READ | PROT_WRITE);
  if (!consumer) return consumer.error();
  ring.consumer_ = std::move(*consumer);
  auto producer = map_shared<std::byte>(map, ring.page_ + 2 * ring.size_, PROT_READ, ring.page_);
  if (!producer) return producer.error();
  ring.producer_ = std::move(*producer);
  return ring;
}

std::uint64_t Ring::consumer() const { return __atomic_load_n(consumer_.get(), __ATOMIC_RELAXED); }

std::uint64_t Ring::producer() const {
  return __atomic_load_n(reinterpret_cast<const std::uint64_t*>(producer_.get()), __ATOMIC_ACQUIRE);
}

std::span<const std::byte> Ring::records(std::size_t most) const {
  const std::uint64_t from = consumer();
  const std::byte* data = producer_.get() + page_;
  const std::span<const std::byte> produced(data + (from & (size_ - 1)), producer() - from);
  return produced.first(whole_records(produced, most));
}

void Ring::consume(std::size_t bytes) { __atomic_store_n(consumer_.get(), consumer() + bytes, __ATOMIC_RELEASE); }

}  // namespace oisp
