#include "collector/events/event-factory.h"

#include "collector/frame.h"
#include "collector/limits.h"

namespace oisp {
namespace {

void set_unless_empty(const std::string& text, auto&& set) {
  if (!text.empty()) set(capnp::Text::Reader(text.c_str(), text.size()));
}

void fill_host(schema::Host::Builder builder, const HostFacts& host) {
  set_unless_empty(host.hostname, [&](auto text) { builder.setHostname(text); });
  set_unless_empty(host.device_id, [&](auto text) { builder.setDeviceId(text); });
  builder.setOs("linux");
  set_unless_empty(host.os_version, [&](auto text) { builder.setOsVersion(text); });
  set_unless_empty(host.arch, [&](auto text) { builder.setArch(text); });
  set_unless_empty(host.kernel_version, [&](auto text) { builder.setKernelVersion(text); });
}

void fill_source(schema::Source::Builder builder, CapturePoint point) {
  builder.setCollector("oisp-sensor");
  builder.setCollectorVersion(OISP_VERSION);
  switch (point) {
    case CapturePoint::sensor:
      return;
    case CapturePoint::tracepoint:
      return builder.setCaptureMethod("ebpf_tracepoint");
    case CapturePoint::ssl_read:
      builder.setCapturePoint("ssl_read");
      break;
    case CapturePoint::ssl_write:
      builder.setCapturePoint("ssl_write");
      break;
    case CapturePoint::ssl_handshake:
      builder.setCapturePoint("ssl_handshake");
      break;
    case CapturePoint::socket_read:
    case CapturePoint::socket_write:
      builder.setCapturePoint(point == CapturePoint::socket_read ? "socket_read" : "socket_write");
      return builder.setCaptureMethod("ebpf_tracepoint");
  }
  builder.setCaptureMethod("tls_boundary");
}

capnp::Text::Reader text_of(std::string_view text) { return {text.data(), text.size()}; }  // of a literal

void fill_app(schema::App::Builder builder, const App* app) {
  builder.setTier(app != nullptr ? "identified" : "unknown");
  if (app == nullptr) return;
  builder.setAppId(text_of(app->id));
  builder.setName(text_of(app->name));
  builder.setVendor(text_of(app->vendor));
  builder.setCategory(text_of(app->category));
  builder.setIsAiApp(app->role != AppRole::ai_host ? schema::Tri::YES : schema::Tri::NO);
  builder.setIsAiHost(app->role != AppRole::ai_app ? schema::Tri::YES : schema::Tri::NO);
}

}  // namespace

void fill_process(schema::Process::Builder builder, const Process& process, std::uint32_t tid) {
  builder.setPid(process.key.tgid);
  builder.setPpid(process.ppid);
  set_unless_empty(process.path, [&](auto text) { builder.setExe(text); });
  set_unless_empty(process.name, [&](auto text) { builder.setName(text); });
  set_unless_empty(process.command_line(), [&](auto text) { builder.setCmdline(text); });
  set_unless_empty(process.cwd, [&](auto text) { builder.setCwd(text); });
  if (tid != 0) builder.setTid(tid);
}

EventFactory::EventFactory(const HostFacts& host, Redactor& redactor, EventOutlet& outlet)
    : host_(host), redactor_(redactor), outlet_(outlet), scratch_(std::make_unique<std::uint64_t[]>(kScratchWords)) {}

EventFactory::~EventFactory() = default;

std::uint64_t EventFactory::real_ns(std::uint64_t boot_ns) const {
  return boot_ns + static_cast<std::uint64_t>(clock_offset_ns_);
}

std::string EventFactory::begin(schema::Event::Builder event, const Origin& origin) {
  std::string id = make_id(origin.boot_ns);
  event.setOispVersion("0.1");
  event.setEventId(id);
  event.setTs(real_ns(origin.boot_ns));
  event.setTsMono(origin.boot_ns);
  fill_host(event.initHost(), host_);
  fill_source(event.initSource(), origin.point);
  auto confidence = event.initConfidence();
  confidence.setLevel("high");
  confidence.setCompleteness("full");
  auto ext = event.initExt().initOispSensor();
  set_unless_empty(host_.boot_id, [&](auto text) { ext.setBootId(text); });
  if (origin.process == nullptr) return id;

  const Process& process = *origin.process;
  auto actor = event.initActor();
  actor.setUid(process.uid);
  actor.setGid(process.gid);
  if (const auto user = host_.users.find(process.uid); user != host_.users.end()) actor.setUser(user->second);
  fill_process(event.initProcess(), process, origin.tid);
  fill_app(event.initApp(), process.app);
  ext.setProcessStart(real_ns(process.key.start_ns));
  ext.setExecCount(process.exec_count);
  ext.setCgroupId(process.cgroup_id);
  ext.setMountNamespace(process.mount_ns);
  return id;
}

void EventFactory::finish(capnp::MallocMessageBuilder& message, schema::Event::Builder event) {
  redactor_.redact_event(event);
  auto ext = event.getExt().getOispSensor();
  ext.setSequence(outlet_.next_sequence());
  if (message.sizeInWords() * sizeof(capnp::word) > limits::kMostEventBytes) {
    // Bodies are only a second form of what the event says.
    if (ext.hasHttp()) {
      ext.getHttp().disownBody();
      ext.getHttp().disownBodyBase64();
    }
    capnp::MallocMessageBuilder smaller;
    smaller.setRoot(event.asReader());
    if (smaller.sizeInWords() * sizeof(capnp::word) > limits::kMostEventBytes) {
      ++too_large_;
      return;
    }
    return outlet_.push(frame_of(smaller));
  }
  outlet_.push(frame_of(message));
}

}  // namespace oisp
