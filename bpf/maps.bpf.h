/* SPDX-License-Identifier: GPL-2.0-only */
/* Every map, and the knobs that the loader sets before the programs are verified. */
#ifndef OISP_MAPS_BPF_H
#define OISP_MAPS_BPF_H

/* Set by the hooks that do not look for HTTP without TLS. */
static volatile __u32 plain_is_unseen;

/* Bytes of one call that are captured; what lies beyond is counted and the record flagged. */
const volatile __u32 max_capture = (1 << 20) + (64 << 10);

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20); /* the loader says how large it is */
} events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 << 10);
} files SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct oisp_counters);
} counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct oisp_control);
} control SEC(".maps");

/* Processes whose calls and life are recorded, by tgid. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, __u32);
	__type(value, struct oisp_identity);
} watched SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, OISP_SITE_SLOTS);
	__type(key, __u32);
	__type(value, struct oisp_site_slot);
} site_slots SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, OISP_FILE_ENTRIES);
	__type(key, __u32);
	__type(value, struct oisp_file_entry);
} file_table SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct oisp_session_key);
	__type(value, struct oisp_session);
} sessions SEC(".maps");

/* A key of a session that is named by its keys' boxes. */
struct box_key {
	__u64 box;
	__u32 tgid;
	__u32 reserved;
};

struct box {
	__u64 session;
	__u64 used; /* records that had passed when it was last seen */
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct box_key);
	__type(value, struct box);
} boxes SEC(".maps");

/* Files told to the opener, by device and inode: their stamps (0: not known, the helper added it). */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct oisp_file_key);
	__type(value, __u64);
} seen_files SEC(".maps");

struct mapping_key {
	struct oisp_file_key file;
	__u32 tgid;
	__u32 exec_count;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct mapping_key);
	__type(value, __u8);
} seen_mappings SEC(".maps");

/* A TCP socket of a watched process, by the address of its struct sock. */
struct connection {
	__u64 cookie;
	struct oisp_identity identity;
	__u64 cgroup_id;
	__u32 tgid;
	__u32 tid;
	__u32 uid;
	__u8 hello_checked; /* the first bytes it sent have been looked at */
	__u8 found;	    /* accepted, or there before the watch began */
	__u16 closed;	    /* its end has been told */
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, struct connection);
} connections SEC(".maps");

/* Whether a TCP socket of a watched process carries HTTP without TLS. */
#define PLAIN_UNDECIDED 0
#define PLAIN_TAKEN 1
#define PLAIN_IGNORED 2
struct plain_socket {
	__u64 session; /* its name in records */
	struct oisp_identity identity;
	__u32 tgid;
	__u32 next[2]; /* by direction: TCP sequence number of the next byte */
	__u8 state;
	__u8 looks;
	__u8 asks;	  /* the direction of requests */
	__u8 half_closed; /* no more will be sent, but read */
};

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct plain_socket);
} plain_sockets SEC(".maps");

/* One TLS call between its entry and its return. */
struct call {
	__u64 session;
	__u64 buffer;
	__u64 length;
	__u64 count_pointer;
	__u64 entry_ns;
	__u32 site;
	__u32 role;
};

/* What one call's chunks have in common. */
struct transfer {
	struct oisp_identity identity;
	__u64 session;
	__u64 buffer;
	__u64 stream_offset;
	__u64 other_offset;
	__u64 entry_ns;
	__u64 return_ns;
	__u32 call_length;
	__u32 captured;
	__u32 offset;
	__u32 site;
	__u32 asked;
	__u32 flags; /* of every chunk */
	__u32 direction;
};

/* What a task received last: a record that lies there came from that socket. */
struct received {
	__u64 sk;
	__u64 buffer;
	__u64 bytes;
};

/* The bytes [start, end) of `count` slices that lie one behind the other. */
struct slices {
	struct call call;
	struct oisp_identity identity;
	__u64 array; /* of address and length */
	__u64 start;
	__u64 end;
	__u64 at; /* where the next slice begins */
	__u64 left; /* of the present one, where it is taken in parts */
};

/* The beginning of what may be a request. */
#define LINE_BYTES 128
struct line {
	__u32 length;
	__u32 target; /* where it begins */
	__u32 is_model;
	__u32 is_whole; /* the end of the target was seen */
	__u8 text[LINE_BYTES + 32];
};

/* A walk from a file up to the task's root directory, across mounts, and back down as text. */
struct walk {
	__u64 dentry;
	__u64 mount;
	__u64 root_dentry;
	__u64 root_mount;
	__u32 names;
	__u32 length;
	__u32 cut; /* 1: the text is not the whole path */
	__u32 reserved;
};

/*
 * Calls nest (a handshake inside a read, TLS inside TLS), so they are a small stack of the task;
 * two threads of one session never share it. The rest is room for loops to work in: values that come
 * from a map are unknown to the verifier, so that it follows a loop once and not once for each number.
 */
#define CALL_DEPTH 4
#define PATH_DEPTH 40
struct task_state {
	__u32 depth;
	__u32 taken_site; /* where something was last told without a return */
	__u64 taken_ip;
	__u64 taken_ns;
	struct call calls[CALL_DEPTH];
	struct transfer transfer;
	struct slices slices;
	struct received received;
	struct line line;
	struct walk walk;
	__u64 names[PATH_DEPTH]; /* struct dentry *, from the leaf up */
	__u8 path[OISP_PATH_BYTES + 256];
	__u8 cwd[OISP_PATH_BYTES + 256];
};

/* What a loop's callback gets: it must be on the stack. */
struct loop {
	struct task_state *state;
	__u8 *text; /* of OISP_PATH_BYTES + 256 */
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct task_state);
} tasks SEC(".maps");

#endif
