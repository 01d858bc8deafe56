// oisp-exporter-jsonl: writes each event as one line of OISP JSON to the descriptor it was given.
//
// Trusted with: that descriptor, and redacted events. Reads: orders, and messages of the collector.
// Cannot: open files, reach a network, start programs. Options: output_start, the size of the file
// when the recording began.
#include "exporters/jsonl/jsonl-sink.h"

int main() { return oisp::run_exporter(oisp::kJsonlExporter); }
