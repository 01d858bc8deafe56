#include "collector/intake/record.h"

#include <cstddef>

#include "collector/limits.h"

namespace oisp {
namespace {

using Decoded = Result<Record, RecordError>;

// The fixed part, or nothing where the record is shorter. `fixed_bytes` is less than the struct's size
// where it ends in an array that may be cut.
template <typename T>
const T* fixed_part(std::span<const std::byte> record, std::size_t fixed_bytes = sizeof(T)) {
  return record.size() < fixed_bytes ? nullptr : reinterpret_cast<const T*>(record.data());
}

bool holds(std::span<const std::byte> record, std::size_t fixed_bytes, std::uint64_t variable_bytes) {
  return variable_bytes <= record.size() - fixed_bytes;
}

Decoded tls_data(std::span<const std::byte> record) {
  const auto* fixed = fixed_part<oisp_tls_data>(record);
  if (fixed == nullptr) return RecordError::too_short;
  if (!holds(record, sizeof *fixed, fixed->payload_length)) return RecordError::bad_length;
  // A call's chunks lie inside the call.
  if (std::uint64_t{fixed->call_offset} + fixed->payload_length > fixed->call_length) return RecordError::bad_length;
  if (fixed->direction > OISP_DIRECTION_WRITE) return RecordError::bad_header;
  return Record{TlsDataView{.fixed = fixed, .payload = Bytes(fixed->payload, fixed->payload_length)}};
}

Decoded tls_session(std::span<const std::byte> record) {
  constexpr std::size_t kFixed = offsetof(oisp_tls_session, name);
  const auto* fixed = fixed_part<oisp_tls_session>(record, kFixed);
  if (fixed == nullptr) return RecordError::too_short;
  if (fixed->name_length > sizeof fixed->name || !holds(record, kFixed, fixed->name_length)) {
    return RecordError::bad_length;
  }
  return Record{
      TlsSessionView{.fixed = fixed, .name = {reinterpret_cast<const char*>(fixed->name), fixed->name_length}}};
}

Decoded exec(std::span<const std::byte> record) {
  const auto* fixed = fixed_part<oisp_process_exec>(record);
  if (fixed == nullptr) return RecordError::too_short;
  const std::uint64_t text = std::uint64_t{fixed->path_length} + fixed->cwd_length + fixed->argv_length;
  if (!holds(record, sizeof *fixed, text)) return RecordError::bad_length;
  const std::string_view all(reinterpret_cast<const char*>(fixed->text), text);
  return Record{ExecView{.fixed = fixed,
                         .path = all.substr(0, fixed->path_length),
                         .cwd = all.substr(fixed->path_length, fixed->cwd_length),
                         .argv = all.substr(fixed->path_length + fixed->cwd_length)}};
}

Decoded mapped(std::span<const std::byte> record) {
  constexpr std::size_t kFixed = offsetof(oisp_process_mapped, name);
  const auto* fixed = fixed_part<oisp_process_mapped>(record, kFixed);
  if (fixed == nullptr) return RecordError::too_short;
  if (fixed->name_length > sizeof fixed->name || !holds(record, kFixed, fixed->name_length)) {
    return RecordError::bad_length;
  }
  return Record{MappedView{.fixed = fixed, .name = {reinterpret_cast<const char*>(fixed->name), fixed->name_length}}};
}

Decoded client_hello(std::span<const std::byte> record) {
  constexpr std::size_t kFixed = offsetof(oisp_client_hello, payload);
  const auto* fixed = fixed_part<oisp_client_hello>(record, kFixed);
  if (fixed == nullptr) return RecordError::too_short;
  if (fixed->payload_length > sizeof fixed->payload || !holds(record, kFixed, fixed->payload_length)) {
    return RecordError::bad_length;
  }
  return Record{ClientHelloView{.fixed = fixed, .payload = Bytes(fixed->payload, fixed->payload_length)}};
}

template <typename Fixed, typename View>
Decoded plain(std::span<const std::byte> record) {
  const auto* fixed = fixed_part<Fixed>(record);
  if (fixed == nullptr) return RecordError::too_short;
  return Record{View{.fixed = fixed}};
}

}  // namespace

Result<const oisp_record_header*, RecordError> decode_header(std::span<const std::byte> bytes) {
  if (reinterpret_cast<std::uintptr_t>(bytes.data()) % alignof(oisp_record_header) != 0) return RecordError::misaligned;
  const auto* header = fixed_part<oisp_record_header>(bytes);
  if (header == nullptr) return RecordError::too_short;
  if (header->version != OISP_RECORD_VERSION) return RecordError::unknown_version;
  if (header->family >= OISP_FAMILY_COUNT || header->cpu >= limits::kMostCpus) return RecordError::bad_header;
  return header;
}

Result<Record, RecordError> decode_record(std::span<const std::byte> bytes) {
  const auto decoded = decode_header(bytes);
  if (!decoded) return decoded.error();
  const oisp_record_header* header = decoded.value();
  if (header->length < sizeof *header || header->length > bytes.size()) return RecordError::bad_length;
  const std::span<const std::byte> record = bytes.first(header->length);  // behind it the ring is stale
  switch (header->kind) {
    case OISP_KIND_TLS_DATA:
      return tls_data(record);
    case OISP_KIND_TLS_SESSION:
      return tls_session(record);
    case OISP_KIND_TLS_SOCKET:
      return plain<oisp_tls_socket, TlsSocketView>(record);
    case OISP_KIND_PROCESS_FORK:
      return plain<oisp_process_fork, ForkView>(record);
    case OISP_KIND_PROCESS_EXEC:
    case OISP_KIND_PROCESS_FOUND:
      return exec(record);
    case OISP_KIND_PROCESS_EXIT:
      return plain<oisp_process_exit, ExitView>(record);
    case OISP_KIND_PROCESS_MAPPED:
      return mapped(record);
    case OISP_KIND_CONNECTION:
      return plain<oisp_connection, ConnectionView>(record);
    case OISP_KIND_CLIENT_HELLO:
      return client_hello(record);
    default:
      return RecordError::unknown_kind;
  }
}

}  // namespace oisp
