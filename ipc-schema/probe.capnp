@0xd0fe9fe71b88aca2;
# probe-helper <-> collector, over one AF_UNIX stream. The supervisor makes a new pair of sockets for
# each life of either end, so a connection never outlives the process it was made for.
#
# Each message is one Cap'n Proto stream frame of at most 256 KiB + 64 bytes. Neither side trusts the
# other's framing: a malformed message closes the connection and harms nothing else.
#
# A disconnect means: for the helper, stop sending and wait for a new connection (records stay in the
# ring, the kernel drops and counts what does not fit); for the collector, forget an unfinished frame
# and wait. Nothing is lost by it: the next helper sends again from the ring's consumer position, and
# `position` lets the collector skip what it has had.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("oisp::schema");

# What the helper says has one shape only, and so has what it hears: it writes and reads both word by word
# (ipc-schema/helper-codec.h) and links no decoder. Data is a struct of bpf/records.h or a span of the ring.

struct FromHelper {
  union {
    unset @0 :Void;

    hello @1 :Data;  # struct oisp_hello; the first message on every connection

    records :group {
      # One contiguous span of a ring, kernel headers included (BPF_RINGBUF_HDR_SZ = 8 bytes each:
      # u32 length with busy and discard bits, u32 page offset; records are 8-byte aligned).
      # In two segments: the span is the second segment, straight from the ring.
      position @2 :UInt64;  # consumer position of the span's first byte; rises for the ring's life
      span @3 :Data;
    }

    file @4 :Data;  # struct oisp_file_report: what became of one file

    counters @5 :Data;
    # struct oisp_counters, sums over all CPUs. Sent on `askCounters`, and in answer to an order to drain: then all
    # records that they count come before `drained`.

    drained @6 :Void;
    # Answer to an order to drain: all records that were in the ring then have been sent. What comes later is of
    # processes that go on.
  }
}

struct ToHelper {
  union {
    unset @0 :Void;
    credit @1 :UInt64;   # bytes of span that may be sent, added to what is left
    ignoreStream :group { # captured no more from now on; narrows only
      tgid @2 :UInt32;
      session @3 :UInt64;
    }
    askCounters @4 :Void;
    releaseFile :group {  # no watched process uses this file any more; its probes may go
      device @5 :UInt64;
      inode @6 :UInt64;
    }
  }
}
