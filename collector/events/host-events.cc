#include "collector/events/host-events.h"

#include <sys/wait.h>

#include <csignal>
#include <cstdio>
#include <cstring>

namespace oisp {
namespace {

Origin origin_of(const Process& process, const oisp_record_header& header) {
  return {.process = &process, .tid = header.tid, .boot_ns = header.entry_ns, .point = CapturePoint::tracepoint};
}

// A JSON number of milliseconds.
std::string milliseconds(std::uint64_t ns) {
  char text[40];
  (void)std::snprintf(text, sizeof text, "%llu.%03llu", static_cast<unsigned long long>(ns / 1'000'000),
                      static_cast<unsigned long long>(ns / 1000 % 1000));
  return text;
}

schema::Tri tri_of(bool value) { return value ? schema::Tri::YES : schema::Tri::NO; }

void fill_endpoint(schema::Endpoint::Builder builder, const Address& address) {
  if (!address.ip.empty()) builder.setIp(address.ip);
  builder.setPort(address.port);
}

}  // namespace

void emit_exec(EventFactory& factory, const Process& process, const oisp_record_header& header) {
  (void)factory.emit(origin_of(process, header), [&](schema::Event::Builder event) {
    if (process.argv_truncated) event.getConfidence().setCompleteness("partial");
    auto exec = event.getData().initProcessExec();
    exec.setExe(process.path);
    auto args = exec.initArgs(static_cast<unsigned>(process.argv.size()));
    for (unsigned i = 0; i < process.argv.size(); ++i) args.set(i, process.argv[i]);
    if (process.argv_truncated) exec.setArgsTruncated(schema::Tri::YES);
    if (!process.cwd.empty()) exec.setCwd(process.cwd);
  });
}

void emit_fork(EventFactory& factory, const Process& parent, const oisp_process_fork& fork) {
  (void)factory.emit(origin_of(parent, fork.header), [&](schema::Event::Builder event) {
    event.getData().initProcessFork().setChildPid(fork.child_tgid);
  });
}

void emit_exit(EventFactory& factory, const Process& process, const oisp_process_exit& exit) {
  (void)factory.emit(origin_of(process, exit.header), [&](schema::Event::Builder event) {
    const int status = static_cast<int>(exit.exit_code);
    auto ended = event.getData().initProcessExit();
    if (WIFSIGNALED(status)) {
      const int signal = WTERMSIG(status);
      ended.setSignal(signal);
      if (const char* name = ::sigabbrev_np(signal)) ended.setSignalName(std::string("SIG") + name);
      ended.setTerminationType(WCOREDUMP(status) ? "coredump" : "signaled");
    } else {
      ended.setExitCode(WEXITSTATUS(status));
      ended.setTerminationType("normal");
    }
    ended.setRuntimeMs(static_cast<std::int64_t>((exit.header.entry_ns - process.key.start_ns) / 1'000'000));
  });
}

void emit_connect(EventFactory& factory, const Process& process, const Connection& connection, ConnectOutcome outcome,
                  std::uint32_t error, std::uint64_t at_ns) {
  const Origin origin{.process = &process, .tid = 0, .boot_ns = at_ns, .point = CapturePoint::tracepoint};
  (void)factory.emit(origin, [&](schema::Event::Builder event) {
    auto connect = event.getData().initNetworkConnect();
    fill_endpoint(connect.initDest(), connection.remote);
    if (connection.local.port != 0) fill_endpoint(connect.initSrc(), connection.local);
    connect.setProtocol("tcp");
    if (outcome == ConnectOutcome::unknown) return event.getConfidence().setCompleteness("partial");
    connect.setSuccess(tri_of(outcome == ConnectOutcome::established));
    if (outcome == ConnectOutcome::failed && error != 0) connect.setError(std::strerror(static_cast<int>(error)));
    if (connection.begin_ns != 0) connect.setLatencyMs(milliseconds(at_ns - connection.begin_ns));
  });
}

void emit_flow(EventFactory& factory, const Process& process, const Connection& connection) {
  const Origin origin{
      .process = &process, .tid = 0, .boot_ns = connection.closed_ns, .point = CapturePoint::tracepoint};
  (void)factory.emit(origin, [&](schema::Event::Builder event) {
    auto flow = event.getData().initNetworkFlow();
    fill_endpoint(flow.initDest(), connection.remote);
    if (connection.local.port != 0) fill_endpoint(flow.initSrc(), connection.local);
    flow.setProtocol("tcp");
    flow.setBytesSent(static_cast<std::int64_t>(connection.sent));
    flow.setBytesReceived(static_cast<std::int64_t>(connection.received));
    if (connection.begin_ns != 0) {
      flow.setDurationMs(static_cast<std::int64_t>((connection.closed_ns - connection.begin_ns) / 1'000'000));
    }
    if (!connection.server_name.empty()) flow.initTls().setSni(connection.server_name);
    if (!connection.had_stream) return;
    auto tls = flow.getTls();
    tls.setPlaintextSent(static_cast<std::int64_t>(connection.plaintext[OISP_DIRECTION_WRITE]));
    tls.setPlaintextReceived(static_cast<std::int64_t>(connection.plaintext[OISP_DIRECTION_READ]));
  });
}

void emit_handshake(EventFactory& factory, const Process& process, const StreamFacts& stream,
                    const Connection* connection, const HandshakeResult& result) {
  const Origin origin{
      .process = &process, .tid = stream.tid, .boot_ns = result.end_ns, .point = CapturePoint::ssl_handshake};
  (void)factory.emit(origin, [&](schema::Event::Builder event) {
    auto ext = event.getExt().getOispSensor();
    ext.setStream(stream.name);
    if (connection != nullptr) {
      auto link = ext.initConnection();
      fill_endpoint(link.initLocal(), connection->local);
      fill_endpoint(link.initRemote(), connection->remote);
      link.setConfidence(std::string(link_word(stream.link)));
    }
    auto handshake = event.getData().initTlsHandshake();
    const std::string& name =
        stream.server_name.empty() && connection != nullptr ? connection->server_name : stream.server_name;
    if (!name.empty()) handshake.setSni(name);
    handshake.setSuccess(tri_of(result.success));
    handshake.setDurationMs(milliseconds(result.end_ns - stream.handshake_begin_ns));
    if (!result.tls_library.empty()) handshake.setLibrary(result.tls_library);
    handshake.setRole(stream.is_server ? "server" : "client");
  });
}

}  // namespace oisp
