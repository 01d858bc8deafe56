// Events of processes, connections and TLS handshakes.
#pragma once

#include <cstdint>
#include <string>

#include "collector/correlate/connection-table.h"
#include "collector/events/event-factory.h"
#include "collector/streams/stream.h"

namespace oisp {

void emit_exec(EventFactory& factory, const Process& process, const oisp_record_header& header);
void emit_fork(EventFactory& factory, const Process& parent, const oisp_process_fork& fork);
void emit_exit(EventFactory& factory, const Process& process, const oisp_process_exit& exit);

// The outcome of a connect(2). `error`: errno, where it failed.
enum class ConnectOutcome { established, failed, unknown };
void emit_connect(EventFactory& factory, const Process& process, const Connection& connection, ConnectOutcome outcome,
                  std::uint32_t error, std::uint64_t at_ns);

// The end of a connection, and what it moved.
void emit_flow(EventFactory& factory, const Process& process, const Connection& connection);

struct HandshakeResult {
  bool success = false;
  std::uint64_t end_ns = 0;
  std::string tls_library;
};
void emit_handshake(EventFactory& factory, const Process& process, const StreamFacts& stream,
                    const Connection* connection, const HandshakeResult& result);

}  // namespace oisp
