@0xd0fe9fe71b88aca2;
# probe-helper <-> collector, over one AF_UNIX stream. The launcher makes a new pair of sockets for
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

struct FromHelper {
  union {
    unset @0 :Void;

    hello @1 :Hello;
    # First message on every connection.

    records :group {
      # One contiguous span of a ring, kernel headers included (BPF_RINGBUF_HDR_SZ = 8 bytes each:
      # u32 length with busy and discard bits, u32 page offset; records are 8-byte aligned).
      # In two segments: the span is the second segment, straight from the ring.
      position @2 :UInt64;  # consumer position of the span's first byte; rises for the ring's life
      span @3 :Data;
    }

    file @4 :FileReport;

    counters :group {
      # Sums over all CPUs, in the order of struct oisp_counters. Sent on `askCounters`, and in answer to an order
      # to drain: then all records that they count come before `drained`.
      values @5 :List(UInt64);
    }

    drained @6 :Void;
    # Answer to an order to drain: all records that were in the ring then have been sent. What comes later is of
    # processes that go on.
  }
}

struct Hello {
  bootTimeOffsetNs @0 :Int64;  # CLOCK_REALTIME - CLOCK_BOOTTIME when this was sent
  uprobes @1 :Text;            # "uprobe_multi" or "perf"
  maxCapture @2 :UInt64;       # bytes a call
  ringBytes @3 :UInt64;
  adopted @4 :Bool;            # this helper took over the probes of one that died
  missing @5 :List(Text);      # hooks this kernel lacks, each a word: sock_send_length, vm_unmapped_area, …
}

struct FileReport {
  # What became of one file. All of it but `device`, `inode` and `outcome` comes from a scanner that
  # has read a stranger's file: text to be shown escaped, never acted upon.
  device @0 :UInt64;
  inode @1 :UInt64;
  file @2 :UInt32;      # the helper's number for it, as in oisp_site_slot; 0 if none was given
  outcome @3 :Outcome;
  error @4 :Int32;      # errno, for openFailed and attachFailed
  family @5 :Text;      # "openssl 3.0", …
  reason @6 :Text;      # why it was refused
  sites @7 :UInt32;
  name @8 :Text;        # last component of the path, where the kernel gave one

  enum Outcome {
    probed @0;
    noTlsLibrary @1;
    refused @2;       # a TLS library is there, but the scanner is not certain of it
    openFailed @3;
    scanFailed @4;    # the scanner died or broke its limits
    attachFailed @5;
    tableFull @6;
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
