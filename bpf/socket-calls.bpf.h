/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Calls that send or receive on a TCP socket of a watched process, as they end: the socket under a TLS
 * session, the first bytes a socket sends, which show TLS even where no library is known, and HTTP without TLS.
 */
#ifndef OISP_SOCKET_CALLS_BPF_H
#define OISP_SOCKET_CALLS_BPF_H

static __always_inline void look_for_hello(struct sock *sk, const struct connection *connection, __u32 sent)
{
	struct oisp_client_hello *record;
	struct passed passed = {};
	struct ticket ticket = {};
	__u64 now = bpf_ktime_get_boot_ns();
	__u8 first[6] = {};
	__u32 length;

	if (!find_passed(sk, 1, &passed))
		return;
	length = passed.size < sent ? passed.size : sent;
	/* RFC 8446, 5.1 and 4: a handshake record, and in it a ClientHello. */
	if (length < sizeof(first) || bpf_probe_read_user(first, sizeof(first), (void *)passed.buffer) ||
	    first[0] != 0x16 || first[1] != 3 || first[5] != 1)
		return;
	record = reserve(&events, OISP_FAMILY_NETWORK, sizeof(*record), sizeof(*record), &ticket);
	if (!record)
		return;
	barrier_var(length);
	if (length > OISP_HELLO_BYTES)
		length = OISP_HELLO_BYTES;
	fill_header(&record->header, OISP_FAMILY_NETWORK, OISP_KIND_CLIENT_HELLO, sizeof(*record), &ticket,
		    &connection->identity, now, now);
	fill_who_connection(&record->header, connection);
	if (bpf_probe_read_user(record->payload, length, (void *)passed.buffer)) {
		count(faults, 1);
		record->header.flags |= OISP_FLAG_FAULT;
		length = 0;
	}
	record->connection = connection->cookie;
	record->payload_length = length;
	record->reserved = 0;
	record->header.length = sizeof(*record) - OISP_HELLO_BYTES + length;
	submit(record);
}

/* `looks`: also for HTTP without TLS. */
static __always_inline int socket_call(struct sock *sk, int moved, int flags, bool sending, bool looks)
{
	__u32 tgid = current_tgid();
	struct oisp_identity *identity = bpf_map_lookup_elem(&watched, &tgid);
	struct connection *connection;
	__u64 session;

	if (!identity || moved == -EAGAIN || !is_tcp(sk))
		return 0;
	session = session_in_flight();
	if (looks)
		plain_call(sk, moved, flags, sending, session != 0, identity);
	if (moved <= 0)
		return 0;
	connection = connection_of(sk, identity, session != 0);
	if (!connection)
		return 0;
	if (session)
		link_session(session, (__u64)sk, identity, bpf_ktime_get_boot_ns());
	if (!sending)
		note_received(sk, moved);
	if (sending && !connection->hello_checked) {
		connection->hello_checked = 1;
		look_for_hello(sk, connection, moved);
	}
	return 0;
}

SEC("tp_btf/sock_send_length")
int BPF_PROG(on_socket_send, struct sock *sk, int moved, int flags)
{
	return socket_call(sk, moved, flags, 1, 1);
}

SEC("tp_btf/sock_recv_length")
int BPF_PROG(on_socket_receive, struct sock *sk, int moved, int flags)
{
	return socket_call(sk, moved, flags, 0, 1);
}

/*
 * For kernels without these two tracepoints (before 6.3), in the same place: the caller's context, after the
 * call. What it returned is asked for, since the arguments before it have changed. The verifier of 6.1 does not take
 * the look for HTTP without TLS here; connections say so.
 */
static __always_inline int tcp_call(void *context, struct sock *sk, bool sending)
{
	__u64 moved = 0;

	plain_is_unseen = 1;
	return bpf_get_func_ret(context, &moved) ? 0 : socket_call(sk, (int)moved, 0, sending, 0);
}

SEC("?fexit/tcp_sendmsg")
int BPF_PROG(on_tcp_send, struct sock *sk)
{
	return tcp_call(ctx, sk, 1);
}

SEC("?fexit/tcp_recvmsg")
int BPF_PROG(on_tcp_receive, struct sock *sk)
{
	return tcp_call(ctx, sk, 0);
}

#endif
