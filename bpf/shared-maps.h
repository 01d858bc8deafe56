/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Values of maps that both the programs and the probe-helper touch. Host byte order; a helper that
 * took over the maps of an earlier one reads what that one wrote.
 */
#ifndef OISP_BPF_SHARED_MAPS_H
#define OISP_BPF_SHARED_MAPS_H

#include "records.h"

#define OISP_FILE_ENTRIES 512
#define OISP_FILE_SITES 32 /* slots of one file; file number N has those from (N - 1) * 32 on */
#define OISP_SITE_SLOTS (OISP_FILE_ENTRIES * OISP_FILE_SITES)

/* How uprobes are placed here. */
struct oisp_uprobe_kind {
  __u32 multi; /* 1: uprobe_multi links; else perf events, of which the rest says */
  __u32 perf_type;
  __u32 return_bit;
};

/* The one element of `control`, mapped by the helper and by the launcher. */
struct oisp_control {
  __u32 sleeping;     /* 1: the helper sleeps; whoever exchanges it for 0 must wake it */
  __u32 hold;         /* 1: stop a watched process that brings a new file, where nobody notices */
  __u32 target_tgid;  /* root of the tree that the task iterator looks for */
  __u32 target_quiet; /* 1: the root's own exec is still to come, so no record of what it is now */
  __u32 found;        /* processes that the iterator added to `watched` */
  __u32 canary_tgid;
  __u32 canary_entries;
  __u32 canary_returns;
  /* Notes of the helper to its successor. */
  struct oisp_uprobe_kind uprobes;
  __u32 missing_hooks; /* as in oisp_hello */
  /*
   * Processes that the kernel program stopped until their files are probed, each in one of the slots that its
   * number leads to: tgid << 32 | CLOCK_BOOTTIME of the stop in units, or 0. The launcher continues them.
   */
  __u64 held[256];
};
#define OISP_HELD_SLOTS 256
#define OISP_HELD_PLACES 8 /* of one number: slots (tgid + 0 .. 7) % OISP_HELD_SLOTS */
#define OISP_HELD_UNIT_NS 1000000

/* Value of `watched` (key: __u32 tgid): what a record's header says about the process. */
struct oisp_identity {
  __u64 start_ns;
  __u32 exec_count;
  __u32 mount_ns;
};

/* Key of `sessions`; the rest of the value is the programs' own. */
struct oisp_session_key {
  __u64 session;
  __u32 tgid;
  __u32 reserved;
};

struct oisp_session {
  __u64 moved[2]; /* plaintext bytes so far, by direction */
  __u64 start_ns; /* with exec_count: whose session this was, since addresses and pids come back */
  __u64 connection;
  __u32 exec_count;
  __u8 ignored; /* set by the helper on the collector's word; narrows only */
  __u8 seen;    /* a record was made of it */
  __u8 is_new;  /* named by boxes: 1 before anything passed, 2 when that has been told */
  __u8 reserved;
};

/*
 * Element of `file_table`: what the helper knows of a file; mapped by it, and by its successor. File number N is
 * element N - 1.
 */
struct oisp_file_entry {
  struct oisp_file_report report;
  __u64 content; /* tells whether the inode still holds what was probed */
  __u32 state;   /* below */
  __u32 told;    /* 1: the collector knows */
};
#define OISP_ENTRY_FREE 0
#define OISP_ENTRY_BEGUN 1 /* whoever finds it so after a death undoes what there is */
#define OISP_ENTRY_DONE 2

/*
 * Maps and programs that outlive a helper: the launcher keeps them by these keys, and uses two itself: the ring of
 * new files wakes it where a process was stopped, and `control` says who was. Links of file number N are kept by
 * the key OISP_PART_LINKS + N, those of the hooks by OISP_PART_LINKS.
 */
#define OISP_PART_EVENTS 0
#define OISP_PART_FILES 1
#define OISP_PART_COUNTERS 2
#define OISP_PART_CONTROL 3
#define OISP_PART_WATCHED 4
#define OISP_PART_SITE_SLOTS 5
#define OISP_PART_FILE_TABLE 6
#define OISP_PART_SESSIONS 7
#define OISP_PART_SEEN_FILES 8
#define OISP_PART_SITE_ENTRY 9
#define OISP_PART_SITE_RETURN 10
#define OISP_PART_FIND_MAPPINGS 11
#define OISP_PART_COUNT 12
#define OISP_PART_LINKS 32

OISP_STATIC_ASSERT(sizeof(struct oisp_control) == 48 + 8 * OISP_HELD_SLOTS, "control layout");
OISP_STATIC_ASSERT(sizeof(struct oisp_session) == 40, "session layout");
OISP_STATIC_ASSERT(sizeof(struct oisp_file_entry) == sizeof(struct oisp_file_report) + 16, "file entry layout");

#endif
