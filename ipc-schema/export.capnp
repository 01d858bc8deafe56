@0xf631f19d3df6c146;
# collector <-> exporter, over one AF_UNIX stream for each sink. Who an exporter is follows from the
# socket it was given, never from what it says.
#
# The collector sends `hello`, the exporter answers `hello` with the last sequence it has kept; then
# batches flow, each acknowledged once it is where it belongs. A disconnect leaves all that was not
# acknowledged with the collector, which sends it again to the next exporter on that sink: at least
# once, and `event_id` makes it idempotent. Frames are at most 16 MiB.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("oisp::schema");

struct ToExporter {
  union {
    unset @0 :Void;
    hello @1 :SinkHello;
    batch @2 :Batch;
    finish @3 :Void;
    # No more events will come. The exporter writes all it holds, acknowledges, and exits with 0.
  }
}

struct SinkHello {
  sink @0 :Text;
  sensorVersion @1 :Text;
}

struct Batch {
  firstSequence @0 :UInt64; # sequence of the first event; the others follow by one each
  events @1 :List(Data);    # each an Event message as a flat array (segment table and all)
  acknowledgeNow @2 :Bool;  # somebody waits for it; otherwise one acknowledgement may do for many batches
}

struct FromExporter {
  union {
    unset @0 :Void;
    hello :group {
      kept @1 :UInt64;      # the highest sequence that is known to be in the sink; 0: none
      hasKept @2 :Bool;
    }
    acknowledge @3 :UInt64; # all events up to and with this sequence are where they belong
    failed :group {         # cannot deliver any more; the collector says so and goes on without this sink
      acknowledged @4 :UInt64;
      reason @5 :Text;
      error @6 :Int32;      # errno, 0 where there is none
    }
  }
}
