// oisp-exporter-terminal: shows events as the live view on the descriptor it was given.
//
// Trusted with: that descriptor, and redacted events. Reads: orders, and messages of the collector.
// Cannot: open files, reach a network, start programs. Writes no byte of a captured program to the
// terminal unescaped. Options: width, scope; flags: colour, hold.
#include "exporters/terminal/terminal-sink.h"

int main() { return oisp::run_exporter(oisp::kTerminalExporter); }
