/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * TCP connections of watched processes: their beginnings and ends, and the socket under a TLS session.
 */
#ifndef OISP_NETWORK_BPF_H
#define OISP_NETWORK_BPF_H

static __always_inline bool is_tcp(const struct sock *sk)
{
	__u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);

	return (family == AF_INET || family == AF_INET6) && BPF_CORE_READ(sk, sk_protocol) == IPPROTO_TCP;
}

static __always_inline void fill_who_connection(struct oisp_record_header *header, const struct connection *connection)
{
	header->tgid = connection->tgid;
	header->tid = connection->tid;
	header->uid = connection->uid;
	header->cgroup_id = connection->cgroup_id;
}

static __always_inline void fill_addresses(struct oisp_connection *record, const struct sock *sk)
{
	record->family = BPF_CORE_READ(sk, __sk_common.skc_family);
	record->local_port = BPF_CORE_READ(sk, __sk_common.skc_num);
	record->remote_port = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
	__builtin_memset(record->local_address, 0, 32);
	if (record->family == AF_INET) {
		__be32 local = BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr);
		__be32 remote = BPF_CORE_READ(sk, __sk_common.skc_daddr);

		__builtin_memcpy(record->local_address, &local, 4);
		__builtin_memcpy(record->remote_address, &remote, 4);
	} else {
		BPF_CORE_READ_INTO(&record->local_address, sk, __sk_common.skc_v6_rcv_saddr.in6_u.u6_addr8);
		BPF_CORE_READ_INTO(&record->remote_address, sk, __sk_common.skc_v6_daddr.in6_u.u6_addr8);
	}
}

/*
 * What TCP has counted of the program's own bytes: without what was sent again and the peer's FIN, and with what
 * waits to be sent.
 */
static __always_inline void fill_bytes(struct oisp_connection *record, const struct sock *sk)
{
	const struct tcp_sock *tcp = (const struct tcp_sock *)sk;

	record->sent = BPF_CORE_READ(tcp, bytes_sent) - BPF_CORE_READ(tcp, bytes_retrans) +
		       (__u32)(BPF_CORE_READ(tcp, write_seq) - BPF_CORE_READ(tcp, snd_nxt));
	record->received = BPF_CORE_READ(tcp, bytes_received);
	if (record->received && (BPF_CORE_READ(sk, __sk_common.skc_flags) & (1ul << SOCK_DONE)))
		record->received--;
}

static __always_inline void emit_connection(const struct sock *sk, const struct connection *connection, __u32 state,
					    __u32 error)
{
	struct ticket ticket = {};
	struct oisp_connection *record;
	__u64 now = bpf_ktime_get_boot_ns();

	record = reserve(&events, OISP_FAMILY_NETWORK, sizeof(*record), sizeof(*record), &ticket);
	if (!record)
		return;
	fill_header(&record->header, OISP_FAMILY_NETWORK, OISP_KIND_CONNECTION, sizeof(*record), &ticket,
		    &connection->identity, now, now);
	fill_who_connection(&record->header, connection);
	record->connection = connection->cookie;
	record->state = state;
	record->error = error;
	record->found = connection->found;
	record->plain_unseen = plain_is_unseen;
	fill_addresses(record, sk);
	record->sent = record->received = 0;
	if (state == OISP_CONNECTION_CLOSED)
		fill_bytes(record, sk);
	submit(record);
}

static __always_inline void fill_connection(struct connection *connection, __u64 cookie,
					    const struct oisp_identity *identity)
{
	__u64 pid_tgid = bpf_get_current_pid_tgid();

	connection->cookie = cookie;
	connection->identity = *identity;
	connection->cgroup_id = bpf_get_current_cgroup_id();
	connection->tgid = pid_tgid >> 32;
	connection->tid = (__u32)pid_tgid;
	connection->uid = (__u32)bpf_get_current_uid_gid();
}

static __always_inline void connection_begins(const struct sock *sk)
{
	__u32 tgid = current_tgid();
	struct oisp_identity *identity = bpf_map_lookup_elem(&watched, &tgid);
	struct connection fresh = {};
	__u64 key = (__u64)sk;

	if (!identity)
		return;
	fill_connection(&fresh, bpf_get_socket_cookie((void *)sk), identity);
	if (bpf_map_update_elem(&connections, &key, &fresh, BPF_ANY))
		count(no_state, 1);
	emit_connection(sk, &fresh, OISP_CONNECTION_BEGIN, 0);
}

static __always_inline void plain_socket_closes(struct sock *sk);

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(on_socket_state, struct sock *sk, const int before, const int after)
{
	struct connection *connection;
	__u64 key = (__u64)sk;

	if (!is_tcp(sk))
		return 0;
	if (after == TCP_SYN_SENT) { /* in the context of connect(2) */
		connection_begins(sk);
		return 0;
	}
	if (after != TCP_ESTABLISHED && after != TCP_FIN_WAIT1 && after != TCP_LAST_ACK && after != TCP_CLOSE)
		return 0;
	if (after != TCP_ESTABLISHED)
		plain_socket_closes(sk);
	connection = bpf_map_lookup_elem(&connections, &key);
	if (!connection)
		return 0;
	if (after == TCP_ESTABLISHED) {
		emit_connection(sk, connection, OISP_CONNECTION_ESTABLISHED, 0);
		return 0;
	}
	if (after != TCP_CLOSE && BPF_CORE_READ(sk, sk_shutdown) != SHUTDOWN_MASK)
		return 0; /* it sends no more, and goes on to read */
	/* Told when the program closes: what its peer still acknowledges may come after its end. */
	if (!connection->closed) {
		connection->closed = 1;
		emit_connection(sk, connection,
				before == TCP_SYN_SENT ? OISP_CONNECTION_FAILED : OISP_CONNECTION_CLOSED,
				BPF_CORE_READ(sk, sk_err));
	}
	if (after == TCP_CLOSE)
		bpf_map_delete_elem(&connections, &key);
	return 0;
}

static __always_inline void emit_socket(__u64 session, __u64 cookie, const struct oisp_identity *identity, __u64 now)
{
	struct ticket ticket = {};
	struct oisp_tls_socket *record;

	record = reserve(&events, OISP_FAMILY_TLS, sizeof(*record), 0, &ticket);
	if (!record)
		return;
	fill_header(&record->header, OISP_FAMILY_TLS, OISP_KIND_TLS_SOCKET, sizeof(*record), &ticket, identity, now,
		    now);
	fill_who_current(&record->header);
	record->session = session;
	record->connection = cookie;
	submit(record);
}

static __always_inline struct oisp_session *session_of(__u32 tgid, __u64 address,
						       const struct oisp_identity *identity);

/* Says once which connection carries a session. */
static __always_inline void link_session(__u64 session, __u64 sk, const struct oisp_identity *identity, __u64 now)
{
	struct connection *connection = bpf_map_lookup_elem(&connections, &sk);
	struct oisp_session *known = session_of(current_tgid(), session, identity);

	if (!connection || !known || known->connection == connection->cookie)
		return;
	known->connection = connection->cookie;
	emit_socket(session, connection->cookie, identity, now);
}

/* The struct sock behind a descriptor of the current task, or 0. */
static __always_inline __u64 socket_of_descriptor(__u32 descriptor)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct fdtable *table = BPF_CORE_READ(task, files, fdt);
	struct file **slots = BPF_CORE_READ(table, fd);
	struct file *file = 0;
	struct socket *socket;

	if (descriptor >= BPF_CORE_READ(table, max_fds))
		return 0;
	bpf_probe_read_kernel(&file, sizeof(file), slots + descriptor);
	if (!file || (BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFSOCK)
		return 0;
	socket = BPF_CORE_READ(file, private_data);
	return (__u64)BPF_CORE_READ(socket, sk);
}

/* The TLS call that the current thread is in, or 0. */
static __always_inline __u64 session_in_flight(void)
{
	struct task_state *state = state_of(bpf_get_current_task_btf(), 0);
	__u32 top;

	if (!state || state->depth == 0)
		return 0;
	top = (state->depth - 1) & (CALL_DEPTH - 1);
	return state->calls[top].role <= OISP_ROLE_HANDSHAKE ? state->calls[top].session : 0;
}

/*
 * The connection of a socket call. One that was there before the watch began, or was accepted, is
 * told of only where TLS or plain HTTP is spoken on it.
 */
static __always_inline struct connection *connection_of(struct sock *sk, const struct oisp_identity *identity,
							bool make)
{
	__u64 key = (__u64)sk;
	struct connection *connection = bpf_map_lookup_elem(&connections, &key);
	struct connection fresh = {};

	if (connection || !make)
		return connection;
	fill_connection(&fresh, bpf_get_socket_cookie(sk), identity);
	fresh.hello_checked = 1; /* its first bytes are long gone */
	fresh.found = 1;
	if (bpf_map_update_elem(&connections, &key, &fresh, BPF_ANY)) {
		count(no_state, 1);
		return 0;
	}
	emit_connection(sk, &fresh, OISP_CONNECTION_ESTABLISHED, 0);
	return bpf_map_lookup_elem(&connections, &key);
}

/* For those who look at what was received only afterwards; a task that never did has no state, and needs none. */
static __always_inline void note_received(struct sock *sk, __u32 bytes)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());
	struct task_state *state = state_of(bpf_get_current_task_btf(), 0);

	if (!state)
		return;
	state->received.sk = (__u64)sk;
	state->received.buffer = call_argument_2(regs);
	state->received.bytes = system_call(regs) == CALL_READ || system_call(regs) == CALL_RECVFROM ? bytes : 0;
}

/* A record of this session lies at `buffer`. */
static __always_inline void link_received(__u64 session, __u64 buffer, __u64 bytes,
					  const struct oisp_identity *identity, __u64 now)
{
	struct task_state *state = state_of(bpf_get_current_task_btf(), 0);

	if (state && buffer < state->received.buffer + state->received.bytes && state->received.buffer < buffer + bytes)
		link_session(session, state->received.sk, identity, now);
}

#endif
