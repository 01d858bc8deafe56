/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * The records that cross from kernel to user space, and the probe sites that cross the other way.
 * Included by BPF C and by C++. Fixed-width integers only; no bool, enum, pointer or size_t;
 * padding is explicit; payload comes last. All integers are in host byte order.
 *
 * Who is trusted: the kernel side writes these, so their framing is sound; the *content* (names,
 * argv, payload, session addresses, lengths that a probed program chose) is a stranger's.
 */
#ifndef OISP_BPF_RECORDS_H
#define OISP_BPF_RECORDS_H

#if defined(__bpf__)
#include "kernel-types.h"
#else
#include <linux/types.h>
#endif

#define OISP_RECORD_VERSION 1

/* Families: each has its own sequence numbers and its own loss counters. */
#define OISP_FAMILY_TLS 0
#define OISP_FAMILY_PROCESS 1
#define OISP_FAMILY_NETWORK 2
#define OISP_FAMILY_FILE 3
#define OISP_FAMILY_COUNT 4

/* Kinds, unique over all families. */
#define OISP_KIND_TLS_DATA 1        /* oisp_tls_data */
#define OISP_KIND_TLS_SESSION 2     /* oisp_tls_session */
#define OISP_KIND_TLS_SOCKET 3      /* oisp_tls_socket */
#define OISP_KIND_PROCESS_FORK 16   /* oisp_process_fork */
#define OISP_KIND_PROCESS_EXEC 17   /* oisp_process_exec */
#define OISP_KIND_PROCESS_EXIT 18   /* oisp_process_exit */
#define OISP_KIND_PROCESS_FOUND 19  /* oisp_process_exec: ran before the watch began */
#define OISP_KIND_PROCESS_MAPPED 20 /* oisp_process_mapped: a file was mapped by a watched process */
#define OISP_KIND_CONNECTION 32     /* oisp_connection: a change of state */
#define OISP_KIND_CLIENT_HELLO 33   /* oisp_client_hello: first bytes of a socket look like TLS */
#define OISP_KIND_FILE 48           /* oisp_file_record: for the file-opener, in its own ring */

/* In oisp_record_header.flags. */
#define OISP_FLAG_FIRST_OF_CALL 0x1u   /* first chunk of one TLS call */
#define OISP_FLAG_LAST_OF_CALL 0x2u    /* last chunk of one TLS call */
#define OISP_FLAG_CUT 0x4u             /* the call carried more than max_capture */
#define OISP_FLAG_FAULT 0x8u           /* the payload could not be read from user memory */
#define OISP_FLAG_TRUNCATED_ARGV 0x10u /* argv or path is longer than what is here */
#define OISP_FLAG_STREAM_NEW 0x20u     /* first record of this session since it was made or seen */
#define OISP_FLAG_UNSEEN 0x40u         /* plain HTTP: bytes that passed in a call that is not looked into; no payload */

/*
 * Every record begins with this. `length` counts the meaningful bytes from the start of the header;
 * the ring may have reserved more (size classes), and what lies behind is stale and never read.
 * `sequence` is taken per (family, cpu) *before* the ring is asked for space, so a refused
 * reservation leaves a hole.
 */
struct oisp_record_header {
	__u16 version;
	__u8 family;
	__u8 kind;
	__u32 length;
	__u32 cpu;
	__u32 flags;
	__u64 sequence;
	__u64 entry_ns;  /* CLOCK_BOOTTIME; when the call or event began */
	__u64 return_ns; /* CLOCK_BOOTTIME; when it ended; equal to entry_ns where there is one moment */
	__u32 tgid;      /* process id in the initial pid namespace */
	__u32 tid;       /* thread id in the initial pid namespace */
	__u64 start_ns;  /* CLOCK_BOOTTIME start of the process (its group leader) */
	__u64 cgroup_id;
	__u32 exec_count; /* self_exec_id: changes with every exec */
	__u32 uid;
	__u32 mount_ns; /* inode number of the mount namespace */
	__u32 reserved;
};

/* Direction as the process sees it. */
#define OISP_DIRECTION_READ 0
#define OISP_DIRECTION_WRITE 1

/*
 * Plaintext of one TLS call, or a chunk of it (at most OISP_CHUNK_BYTES). Chunks of a call are
 * consecutive in `call_offset`. `stream_offset` counts the plaintext bytes of this session and
 * direction before this call, so a missing call shows as a gap of known size.
 */
#define OISP_CHUNK_BYTES 16384
/*
 * A session that is none: HTTP without TLS. The rest of the name is the socket's cookie, as in oisp_connection. Its
 * records are those of a TLS session (new, socket, data, shutdown), but for the handshake.
 */
#define OISP_SESSION_IS_SOCKET (1ull << 63)
struct oisp_tls_data {
	struct oisp_record_header header;
	__u64 session; /* address of the SSL object (or its like): a name, never followed */
	__u64 stream_offset;
	__u64 other_offset; /* of the other direction at the call's return: says whether a request was lost */
	__u32 call_length; /* bytes that the whole call moved */
	__u32 call_offset; /* where in the call this payload begins */
	__u32 payload_length;
	__u32 site; /* slot of the probe site, see oisp_site_slot */
	__u8 direction;
	__u8 reserved[3];
	__u32 asked; /* bytes that the call was given room for, or was to send; 0: the site does not say */
	__u8 payload[]; /* payload_length bytes */
};

/* What happened to a session, in oisp_tls_session.event. */
#define OISP_SESSION_NEW 1
#define OISP_SESSION_HANDSHAKE 2 /* result: the function's return value; entry/return times are the call's */
#define OISP_SESSION_NAME 3      /* name: the server name (SNI) the program asked for */
#define OISP_SESSION_FD 4        /* result: the descriptor given by SSL_set_fd and friends */
#define OISP_SESSION_FREE 5
#define OISP_SESSION_SHUTDOWN 6
struct oisp_tls_session {
	struct oisp_record_header header;
	__u64 session;
	__s64 result;
	__u32 event;
	__u32 site;
	__u32 name_length;
	__u32 is_server; /* 1 where the function says so (SSL_accept), else 0 */
	__u8 name[256];  /* name_length bytes */
};

/* A TLS session was seen to use a socket (nested socket call, or SSL_set_fd). */
struct oisp_tls_socket {
	struct oisp_record_header header;
	__u64 session;
	__u64 connection; /* as in oisp_connection */
};

struct oisp_process_fork {
	struct oisp_record_header header; /* of the parent */
	__u64 child_start_ns;
	__u32 child_tgid;
	__u32 child_exec_count;
};

/* A file by what the kernel knows of it. `device` is s_dev as the kernel encodes it (major << 20 | minor). */
struct oisp_file_key {
	__u64 device;
	__u64 inode;
};

#define OISP_PATH_BYTES 512
#define OISP_ARGV_BYTES 4096
/* exec, or a process found at start. text: path, cwd, argv one after the other (no terminators between;
 * argv keeps its NULs). */
struct oisp_process_exec {
	struct oisp_record_header header; /* of the process after the exec */
	struct oisp_file_key exe;
	__u64 parent_start_ns;
	__u32 parent_tgid;
	__u32 gid;
	__u32 path_length;
	__u32 cwd_length;
	__u32 argv_length;
	__u32 argv_total; /* true length in bytes, may exceed argv_length */
	__u8 comm[16];
	__u8 text[];
};

struct oisp_process_exit {
	struct oisp_record_header header;
	__u32 exit_code; /* as wait(2) encodes it */
	__u32 reserved;
};

struct oisp_process_mapped {
	struct oisp_record_header header;
	struct oisp_file_key file;
	__u32 name_length;
	__u32 reserved;
	__u8 name[64]; /* last component of the path */
};

/* Connection states. */
#define OISP_CONNECTION_BEGIN 1       /* connect(2) sent its SYN */
#define OISP_CONNECTION_ESTABLISHED 2
#define OISP_CONNECTION_FAILED 3      /* error: errno of the socket */
#define OISP_CONNECTION_CLOSED 4
struct oisp_connection {
	struct oisp_record_header header; /* of the process that called connect; times are the moment of the change */
	__u64 connection;                 /* socket cookie: unique while the host is up */
	__u32 state;
	__u32 error;
	__u16 family; /* AF_INET, AF_INET6 */
	__u16 local_port;
	__u16 remote_port;
	__u8 found;	   /* 1: nobody was seen to connect: it was accepted, or there before */
	__u8 plain_unseen; /* 1: HTTP without TLS is not looked for on this kernel */
	__u8 local_address[16];
	__u8 remote_address[16];
	__u64 sent; /* bytes that the socket moved in its life; with CLOSED, else 0 */
	__u64 received;
};

#define OISP_HELLO_BYTES 1024
struct oisp_client_hello {
	struct oisp_record_header header;
	__u64 connection;
	__u32 payload_length;
	__u32 reserved;
	__u8 payload[OISP_HELLO_BYTES];
};

/*
 * For the file-opener: a file that a watched process executes or maps. Goes through its own ring,
 * and through the helper unread.
 */
#define OISP_FILE_FROM_EXEC 1 /* /proc/TGID/exe */
#define OISP_FILE_FROM_MMAP 2 /* whole-file mapping announced at [address, address + size); segments may follow */
#define OISP_FILE_FROM_VMA 3  /* exact mapping [address, address + size), from the iterator at start */
struct oisp_file_record {
	struct oisp_record_header header;
	struct oisp_file_key file;
	__u64 address;
	__u64 size;
	__u32 source;
	__u32 held; /* 1: the process was stopped until this file is probed */
};

/*
 * Probe sites: found by the elf-scanner, checked and attached by the helper, read by the one generic
 * program through the link's cookie (a slot number in the map `site_slots`).
 */
#define OISP_ROLE_READ 1      /* plaintext is in the buffer after the call */
#define OISP_ROLE_WRITE 2     /* plaintext is in the buffer before the call */
#define OISP_ROLE_HANDSHAKE 3 /* SSL_do_handshake, SSL_connect, SSL_accept */
#define OISP_ROLE_SET_NAME 4  /* SNI: arguments session, buffer = string; guard as below */
#define OISP_ROLE_SET_FD 5    /* arguments session, length = descriptor */
#define OISP_ROLE_FREE 6
#define OISP_ROLE_SHUTDOWN 7
#define OISP_ROLE_NEW 8 /* the return value is the session */
/*
 * Record layers that keep their two keys in boxes (rustls): what passes is one record, of which only application data
 * is plaintext. `session` is the layer that holds the boxes; it moves, so sessions are named by the boxes, and those
 * change with the keys.
 */
#define OISP_ROLE_SEAL 9   /* about to encrypt: buffer = the message, count = its sequence number */
#define OISP_ROLE_OPEN 10  /* about to decrypt: buffer = the input, length = the result, guard = the box; session may be none */
#define OISP_ROLE_OPENED 11 /* it is decrypted; the site before this one is the OPEN */

#define OISP_ARG_NONE 0
#define OISP_ARG_REGISTER 1         /* value = reg */
#define OISP_ARG_MEMORY 2           /* value = *(u64 *)(reg + offset); where `then` is not 0, *(u64 *)(that + then) */
#define OISP_ARG_RETURN 3           /* value = the function's return value, as a signed 32-bit int */
#define OISP_ARG_POINTER_REGISTER 4 /* count: *(size_t *)reg at return, where the return value is > 0 */

/* Registers by their DWARF-independent, own numbering: rax rcx rdx rbx rsp rbp rsi rdi r8..r15 on x86-64
 * (the encoding's order), x0..x30, sp on aarch64. */
struct oisp_argument {
	__u8 kind;
	__u8 reg;
	__u16 then;
	__s32 offset;
};

/* Distances in a record layer of two boxes, and in its messages. */
struct oisp_layer {
	__u8 boxes;	/* of the encrypter's box; the decrypter's is 16 further */
	__u8 sequences; /* of the encrypter's next sequence number; the decrypter's is 8 further */
	/*
	 * SEAL: of the message's bytes' address and length, or of how many slices, first and end; 0: never the latter.
	 * OPEN and OPENED: 0: address and length of what is decrypted stand together; else it is a vector.
	 */
	__u8 slice;
	__u8 type; /* of the content type: SEAL: in the message; OPENED: from the length of what was decrypted */
};

#define OISP_SITE_BYTES 16
#define OISP_SITE_HAS_RETURN 0x1u /* also place a return probe at `function_offset` */
#define OISP_SITE_IS_SERVER 0x2u
/* Guard: the site only counts where the register holds this value (SSL_ctrl's command 55 for SNI). */
#define OISP_SITE_HAS_GUARD 0x4u

struct oisp_site {
	__u64 offset; /* file offset of the instruction to probe */
	__u32 role;
	__u32 flags;
	struct oisp_argument session;
	struct oisp_argument buffer;
	struct oisp_argument length; /* bytes asked for, or the descriptor for SET_FD */
	struct oisp_argument count;  /* bytes moved, known at return */
	struct oisp_argument guard;
	__u64 guard_value;
	__u8 bytes[OISP_SITE_BYTES]; /* what the scanner saw at `offset`; the helper compares */
	__u32 bytes_length;
	struct oisp_layer layer; /* of SEAL and OPENED; boxes and sequences also of OPEN */
};

/* Slot of the map `site_slots`: one per attached site. */
struct oisp_site_slot {
	struct oisp_site site;
	__u32 file; /* the helper's number for the file */
	__u32 in_use;
};

/* Per-CPU, per-family counters of the map `counters`; all changed by atomic adds. */
struct oisp_counters {
	__u64 sequence[OISP_FAMILY_COUNT];  /* numbers given out */
	__u64 submitted[OISP_FAMILY_COUNT]; /* records that entered a ring */
	__u64 dropped[OISP_FAMILY_COUNT];   /* reservations that failed: the ring was full */
	__u64 dropped_bytes[OISP_FAMILY_COUNT];
	__u64 faults;         /* payload that could not be read */
	__u64 cut_bytes;      /* bytes beyond max_capture */
	__u64 would_block;    /* calls that moved nothing */
	__u64 ignored;        /* calls on streams that the collector asked to ignore */
	__u64 no_state;       /* per-task or per-session state could not be kept */
	__u64 unknown_calls;  /* returns without an entry */
	__u64 unseen_calls;   /* first calls on sockets, not looked into (sendmmsg, io_uring): plain HTTP may be on them */
};

/*
 * What the helper says besides records (ipc-schema/probe.capnp), as plain structs. `hello` comes first on every
 * connection.
 */
struct oisp_hello {
	__s64 boot_time_offset_ns; /* CLOCK_REALTIME - CLOCK_BOOTTIME when this was sent */
	__u64 ring_bytes;
	__u32 max_capture;	 /* bytes a call */
	__u32 missing_hooks; /* bit N: this kernel lacks hook N of OISP_HOOKS */
	__u32 uprobe_multi;	 /* 1; else perf uprobes */
	__u32 adopted;		 /* 1: this helper took over the probes of one that died */
};

/* Tracepoints of the kernel side by their kernel names, those first that it cannot do without. */
#define OISP_HOOKS \
	{ \
		"sched_process_fork", "sched_process_exec", "sched_process_exit", "inet_sock_set_state", \
			"sock_send_length", "sock_recv_length", "vm_unmapped_area" \
	}
#define OISP_HOOK_COUNT 7
#define OISP_HOOKS_REQUIRED 3

/* What became of a file. */
#define OISP_FILE_PROBED 0
#define OISP_FILE_NO_TLS_LIBRARY 1
#define OISP_FILE_REFUSED 2 /* a TLS library is there, but the scanner is not certain of it */
#define OISP_FILE_OPEN_FAILED 3
#define OISP_FILE_SCAN_FAILED 4 /* the scanner died or broke its limits */
#define OISP_FILE_ATTACH_FAILED 5
#define OISP_FILE_TABLE_FULL 6 /* all that can be probed at once is */

/*
 * All but key, file, outcome and error comes from a scanner that has read a stranger's file: text to be shown
 * escaped, never acted upon. Texts are NUL-terminated or fill their array.
 */
struct oisp_file_report {
	struct oisp_file_key key;
	__u32 file; /* number of the file that carries the probes, as in oisp_site_slot; 0: none */
	__u32 outcome;
	__s32 error; /* errno */
	__u32 sites;
	char family[32];  /* "OpenSSL 3.0" */
	char reason[160]; /* why it was refused */
	char name[64];	  /* last component of the path, where the launcher gave the file */
};

#if defined(__cplusplus)
#define OISP_STATIC_ASSERT(condition, text) static_assert(condition, text)
#else
#define OISP_STATIC_ASSERT(condition, text) _Static_assert(condition, text)
#endif

OISP_STATIC_ASSERT(sizeof(struct oisp_record_header) == 80, "header layout");
OISP_STATIC_ASSERT(sizeof(struct oisp_tls_data) == 80 + 48, "tls data layout");
OISP_STATIC_ASSERT(sizeof(struct oisp_tls_session) == 80 + 288, "tls session layout");
OISP_STATIC_ASSERT(sizeof(struct oisp_tls_socket) == 80 + 16, "tls socket layout");
OISP_STATIC_ASSERT(sizeof(struct oisp_process_fork) == 80 + 16, "fork layout");
OISP_STATIC_ASSERT(sizeof(struct oisp_process_exec) == 80 + 64, "exec layout");
OISP_STATIC_ASSERT(sizeof(struct oisp_process_exit) == 80 + 8, "exit layout");
OISP_STATIC_ASSERT(sizeof(struct oisp_process_mapped) == 80 + 88, "mapped layout");
OISP_STATIC_ASSERT(sizeof(struct oisp_connection) == 80 + 72, "connection layout");
OISP_STATIC_ASSERT(sizeof(struct oisp_client_hello) == 80 + 16 + OISP_HELLO_BYTES, "client hello layout");
OISP_STATIC_ASSERT(sizeof(struct oisp_file_record) == 80 + 40, "file record layout");
OISP_STATIC_ASSERT(sizeof(struct oisp_site) == 88, "site layout");
OISP_STATIC_ASSERT(sizeof(struct oisp_hello) == 32, "hello layout");
OISP_STATIC_ASSERT(sizeof(struct oisp_file_report) == 32 + 256, "file report layout");

#endif
