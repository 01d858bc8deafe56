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

/* Keys under which the helper has the launcher keep maps that the launcher needs itself. */
#define OISP_PART_FILES 1   /* ring of new files: wakes it where a process was stopped */
#define OISP_PART_CONTROL 3 /* `hold` is cleared where nobody probes */
#define OISP_PART_HELD 9    /* __u32 tgid -> __u64 CLOCK_BOOTTIME ns, of stopped processes */

/* The one element of `control`, mapped by the helper. */
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
	__u32 uprobe_multi; /* 1: the site programs are of that kind, else perf uprobes */
	__u32 missing;      /* bit N: hook number N of the loader's list is not there */
	__u32 reserved[2];
};

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
	__u8 reserved[2];
};

/* Element of `file_table`: what the helper knows of a file. Written and read by helpers only. */
struct oisp_file_entry {
	struct oisp_file_key key; /* as the kernel's records name it */
	__u64 stat_device;        /* as fstat names it; differs from `key` on overlayfs and btrfs */
	__u64 stat_inode;
	__u64 stat_bytes;
	__u64 stat_changed_ns; /* mtime */
	__u32 in_use;
	__u32 outcome; /* schema::FileReport::Outcome */
	__s32 error;
	__u32 alias_of;   /* number of the file with the same inode that carries the probes, or 0 */
	__u32 site_count;
	__u32 entry_links; /* descriptors that the launcher keeps for it, by kind */
	__u32 return_links;
	__u32 given; /* 1: by the launcher, before the start */
	__u64 added_ns;
	char family[32];
	char reason[160];
	char name[64];
};

OISP_STATIC_ASSERT(sizeof(struct oisp_control) == 48, "control layout");
OISP_STATIC_ASSERT(sizeof(struct oisp_session) == 40, "session layout");
OISP_STATIC_ASSERT(sizeof(struct oisp_file_entry) == 88 + 256, "file entry layout");

#endif
