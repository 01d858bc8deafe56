#include "probe-helper/permissions.h"

namespace oisp {
namespace {

struct Permission {
  OrderKind kind;
  unsigned phases;
  bool needs_fd;  // exactly: an order that needs none must not bring one
};

constexpr unsigned kSetup = static_cast<unsigned>(Phase::setup);
constexpr unsigned kStarted = static_cast<unsigned>(Phase::starting) | static_cast<unsigned>(Phase::running) |
                              static_cast<unsigned>(Phase::draining);
constexpr unsigned kAlways = kSetup | kStarted;

constexpr Permission kPermissions[] = {
    {OrderKind::config, kSetup, false}, {OrderKind::adopt, kSetup, true},     {OrderKind::watch, kSetup, false},
    {OrderKind::file, kSetup, true},    {OrderKind::begin, kSetup, false},    {OrderKind::collector, kAlways, true},
    {OrderKind::opener, kAlways, true}, {OrderKind::scanner, kStarted, true}, {OrderKind::drain, kStarted, false},
};

}  // namespace

bool is_permitted(OrderKind kind, Phase phase, bool has_fd) {
  for (const Permission& permission : kPermissions) {
    if (permission.kind != kind) continue;
    return (permission.phases & static_cast<unsigned>(phase)) != 0 && permission.needs_fd == has_fd;
  }
  return false;
}

}  // namespace oisp
