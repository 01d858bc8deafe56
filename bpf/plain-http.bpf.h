/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * HTTP without TLS, as local model servers and their clients speak it. The first bytes that pass on a socket decide:
 * one that begins with a request to a model, or to a server of models, is taken; every other is ignored from then on,
 * at the cost of one look-up a call. What is taken after all, and is no model traffic, the collector asks to ignore.
 *
 * plain_call() needs to know no more of a call than what every hook at its end does: socket, result, direction.
 */
#ifndef OISP_PLAIN_HTTP_BPF_H
#define OISP_PLAIN_HTTP_BPF_H

/* A socket that was accepted, or was there before, may be in the middle of an answer when it is first seen. */
#define MOST_LOOKS 16
#define METHOD_BYTES 8 /* the longest, and a space */
#define MOST_PARTS 1024 /* IOV_MAX */

#define NOT_A_SITE (~0u)

/* Where the bytes of the current system call are. */
struct passed {
	__u64 buffer; /* of the first part */
	__u64 size;
	__u64 array; /* of all parts; 0: there is but one */
	__u64 count;
};

/*
 * False for calls not looked into, and where the socket is another one: io_uring does its work at the end of whatever
 * call comes next.
 */
static __always_inline bool find_passed(struct sock *sk, bool sending, struct passed *passed)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());
	struct iovec part = {};
	__s32 call = system_call(regs);

	if (call == (sending ? CALL_WRITE : CALL_READ) || call == (sending ? CALL_SENDTO : CALL_RECVFROM)) {
		passed->buffer = call_argument_2(regs);
		passed->size = call_argument_3(regs);
		return socket_of_descriptor(call_argument_1(regs)) == (__u64)sk;
	}
	if (call == (sending ? CALL_WRITEV : CALL_READV)) {
		passed->array = call_argument_2(regs);
		passed->count = call_argument_3(regs);
	} else if (call == (sending ? CALL_SENDMSG : CALL_RECVMSG)) {
		__u64 parts[2] = {};

		if (bpf_probe_read_user(parts, sizeof(parts), (void *)call_argument_2(regs) + 16))
			return 0;
		passed->array = parts[0];
		passed->count = parts[1];
	} else {
		return 0;
	}
	if (!passed->count || bpf_probe_read_user(&part, sizeof(part), (void *)passed->array))
		return 0;
	passed->buffer = (__u64)part.iov_base;
	passed->size = part.iov_len;
	return socket_of_descriptor(call_argument_1(regs)) == (__u64)sk;
}

static __always_inline bool is_same(const __u8 *at, const char *word, const __u32 length)
{
	__u8 differs = 0;
	__u32 i;

#pragma unroll
	for (i = 0; i < length; i++)
		differs |= at[i] ^ word[i];
	return !differs;
}

#define begins(at, word) is_same(at, word, sizeof(word) - 1)

/* What the paths of model servers hold, from a slash on; docs/architecture.md has the list. */
static __always_inline bool names_model_server(const __u8 *at)
{
	return begins(at, "/v1/") || begins(at, "/api/chat") || begins(at, "/api/generate") ||
	       begins(at, "/api/embed") || begins(at, "/api/tags") || begins(at, "/api/show") ||
	       begins(at, "/api/ps") || begins(at, "/api/version") || begins(at, "/api/pull") ||
	       begins(at, "/api/v0/") || begins(at, "/chat/completions") || begins(at, "/completion") ||
	       begins(at, "/embedding") || begins(at, "/infill") || begins(at, "/health") || begins(at, "/props") ||
	       begins(at, "/slots") || begins(at, "/models") || begins(at, "/tokenize") || begins(at, "/ping") ||
	       begins(at, "/version");
}

/* One byte of the target. */
static long next_of_target(__u32 index, struct loop *loop)
{
	struct line *line = &loop->state->line;
	__u32 place = (line->target + index) & (LINE_BYTES - 1);
	__u8 here = line->text[place];

	if (line->target + index >= line->length)
		return 1;
	if (here <= ' ' || here == '?') {
		line->is_whole = 1;
		return 1;
	}
	if (here != '/' || !names_model_server(line->text + place))
		return 0;
	line->is_model = 1;
	return 1;
}

static __always_inline bool is_letter(__u8 byte)
{
	return byte >= 'A' && byte <= 'Z';
}

/* How many letters a method has; 0 where it is none; METHOD_BYTES where its end is not there. */
static __always_inline __u32 method_letters(const __u8 *first, __u32 length)
{
	__u32 i;

#pragma unroll
	for (i = 0; i < METHOD_BYTES; i++) {
		if (i >= length)
			return METHOD_BYTES;
		if (!is_letter(first[i]))
			return i >= 3 && first[i] == ' ' ? i : 0;
	}
	return 0;
}

/*
 * What begins like a request and ends too early to be known is taken, and left to the collector: its bytes do not pass
 * again.
 */
static __always_inline bool is_model_request(__u64 bytes, __u32 length)
{
	struct loop loop = {};
	__u8 first[METHOD_BYTES] = {};
	__u32 letters;
	struct line *line;

	if (length > LINE_BYTES)
		length = LINE_BYTES;
	if (bpf_probe_read_user(first, length < sizeof(first) ? length : sizeof(first), (void *)bytes))
		return 0;
	letters = method_letters(first, length);
	if (letters == 0)
		return 0;
	if (letters == METHOD_BYTES)
		return 1;
	loop.state = state_of(bpf_get_current_task_btf(), 1);
	if (!loop.state) {
		count(no_state, 1);
		return 0;
	}
	line = &loop.state->line;
	__builtin_memset(line, 0, sizeof(*line));
	if (bpf_probe_read_user(line->text, length, (void *)bytes))
		return 0;
	if (begins(line->text, "PRI * HTTP/2.0") || begins(line->text, "HEAD / "))
		return 1;
	line->length = length;
	line->target = letters + 1;
	bpf_loop(LINE_BYTES, next_of_target, &loop, 0);
	return line->is_model || (!line->is_whole && length < LINE_BYTES);
}

/* TCP's own number of the next byte, which also counts what passed unseen. */
static __always_inline __u32 tcp_sequence(struct sock *sk, __u32 direction)
{
	struct tcp_sock *tcp = (struct tcp_sock *)sk;

	return direction == OISP_DIRECTION_WRITE ? BPF_CORE_READ(tcp, write_seq) : BPF_CORE_READ(tcp, copied_seq);
}

static __always_inline void begin_call(struct call *call, __u64 session, __u32 direction, __u64 now)
{
	call->session = session;
	call->role = direction == OISP_DIRECTION_WRITE ? OISP_ROLE_WRITE : OISP_ROLE_READ;
	call->entry_ns = now;
	call->site = NOT_A_SITE;
}

/* Bytes of the session that nobody looked at: their place, and how many. */
static __always_inline void emit_unseen(const struct call *call, const struct plain_socket *plain,
					struct oisp_session *session, __u32 bytes)
{
	struct transfer transfer = {};

	fill_transfer(&transfer, session, call, &plain->identity, bytes, call->entry_ns);
	transfer.captured = 0;
	transfer.flags |= OISP_FLAG_UNSEEN;
	emit_chunk(&transfer, 0, 0);
}

/* Splice and, before Linux 6.5, sendfile pass every hook by, but not TCP's own count. */
static __always_inline void tell_of_gap(const struct call *call, struct plain_socket *plain,
					struct oisp_session *session, __u32 direction, __u32 begin, __u32 end)
{
	__u32 gap = begin - plain->next[direction & 1];

	/* The end of what is received counts as a byte; calls of two threads at once may look out of order. */
	if (gap > (direction == OISP_DIRECTION_READ) && gap < (1u << 31))
		emit_unseen(call, plain, session, gap);
	plain->next[direction & 1] = end;
}

static __always_inline void plain_session_ends(struct sock *sk, struct plain_socket *plain)
{
	struct oisp_session_key key = { .session = plain->session, .tgid = plain->tgid };
	struct oisp_session *session = bpf_map_lookup_elem(&sessions, &key);
	struct oisp_tls_session *record;
	struct call call = {};
	__u32 direction;

	plain->state = PLAIN_IGNORED;
	if (!session || session->ignored)
		return;
#pragma unroll
	for (direction = 0; direction < 2; direction++) {
		__u32 end = tcp_sequence(sk, direction);

		begin_call(&call, plain->session, direction, bpf_ktime_get_boot_ns());
		if (current_tgid() == plain->tgid)
			tell_of_gap(&call, plain, session, direction, end, end);
	}
	record = begin_session(&call, &plain->identity, OISP_SESSION_SHUTDOWN, call.entry_ns);
	if (record) {
		record->header.tgid = plain->tgid;
		submit(record);
	}
	bpf_map_delete_elem(&sessions, &key);
}

/*
 * No more will be sent: the end of a server's last answer. A client that only half closed may read on until the
 * other end closes; what a reset leaves unread can be read, too.
 */
static __always_inline void plain_socket_closes(struct sock *sk)
{
	struct plain_socket *plain = bpf_sk_storage_get(&plain_sockets, sk, 0, 0);
	__u8 shut;

	if (!plain || plain->state != PLAIN_TAKEN || plain->half_closed)
		return;
	shut = BPF_CORE_READ(sk, sk_shutdown) & SHUTDOWN_MASK;
	if (shut == SHUTDOWN_MASK || (plain->asks == OISP_DIRECTION_READ && (shut & SEND_SHUTDOWN)))
		plain_session_ends(sk, plain);
	else if (shut & SEND_SHUTDOWN)
		plain->half_closed = 1;
}

/* An answer ends where its connection does, if nothing else says so. */
static __always_inline bool ends_answer(struct sock *sk, const struct plain_socket *plain, int result, __u32 direction)
{
	if (plain->asks == direction)
		return 0;
	if (result == 0)
		return direction == OISP_DIRECTION_READ && (BPF_CORE_READ(sk, sk_shutdown) & RCV_SHUTDOWN);
	return result == -ECONNRESET || result == -EPIPE || result == -ETIMEDOUT || result == -ECONNABORTED;
}

static __always_inline void take_socket(struct sock *sk, struct plain_socket *plain, int moved, __u32 direction,
					const struct oisp_identity *identity)
{
	__u64 now = bpf_ktime_get_boot_ns();
	struct call call = {};

	plain->session = OISP_SESSION_IS_SOCKET | bpf_get_socket_cookie(sk);
	plain->identity = *identity;
	plain->tgid = current_tgid();
	plain->asks = direction;
	plain->next[OISP_DIRECTION_READ] = tcp_sequence(sk, OISP_DIRECTION_READ);
	plain->next[OISP_DIRECTION_WRITE] = tcp_sequence(sk, OISP_DIRECTION_WRITE);
	plain->next[direction & 1] -= moved;
	plain->state = PLAIN_TAKEN;
	begin_call(&call, plain->session, direction, now);
	emit_session(&call, identity, OISP_SESSION_NEW, 0, 0, now);
	(void)connection_of(sk, identity, 1);
	link_session(plain->session, (__u64)sk, identity, now);
}

/* Decides by the first bytes; false where the socket is not taken, or not yet. */
static __always_inline bool decide(struct sock *sk, struct plain_socket *plain, const struct passed *passed, int moved,
				   __u32 direction, const struct oisp_identity *identity)
{
	__u64 key = (__u64)sk;
	__u64 length = passed->size < (__u32)moved ? passed->size : (__u32)moved;

	if (!passed->buffer)
		count(unseen_calls, 1);
	if (passed->buffer && is_model_request(passed->buffer, length)) {
		take_socket(sk, plain, moved, direction, identity);
		return 1;
	}
	plain->looks++;
	if (plain->looks >= MOST_LOOKS) {
		plain->state = PLAIN_IGNORED;
	} else {
		struct connection *connection = bpf_map_lookup_elem(&connections, &key);

		if (connection && !connection->found)
			plain->state = PLAIN_IGNORED;
	}
	return 0;
}

/* A part of what passed: of one buffer at most as much as one call may carry. */
static long next_part(__u32 index, struct loop *loop)
{
	struct slices *slices = &loop->state->slices;
	__u64 length = slices->end - slices->at;

	if (!slices->left) {
		__u64 part[2] = {};

		if (!slices->array || bpf_probe_read_user(part, sizeof(part), (void *)slices->array))
			return 1;
		slices->array += sizeof(part);
		slices->call.buffer = part[0];
		slices->left = part[1];
	}
	if (length > slices->left)
		length = slices->left;
	if (length > max_capture)
		length = max_capture;
	if (length)
		emit_data(&slices->call, &slices->identity, length, slices->call.entry_ns);
	slices->call.buffer += length;
	slices->left -= length;
	slices->at += length;
	return slices->at >= slices->end;
}

/* Bytes in all parts of a call; how many of them could be followed. */
static __always_inline __u32 emit_parts(const struct call *call, const struct passed *passed, __u32 moved,
					const struct oisp_identity *identity)
{
	struct loop loop = { .state = state_of(bpf_get_current_task_btf(), 1) };
	__u32 count = passed->count < MOST_PARTS ? passed->count : MOST_PARTS;
	struct slices *slices;

	if (!loop.state) {
		count(no_state, 1);
		return 0;
	}
	slices = &loop.state->slices;
	slices->call = *call;
	slices->identity = *identity;
	slices->call.buffer = passed->buffer;
	slices->array = passed->array;
	slices->left = passed->array ? 0 : passed->size;
	slices->at = 0;
	slices->end = moved;
	bpf_loop(count + (moved >> 20) + 1, next_part, &loop, 0);
	return slices->at;
}

static __always_inline void pass_on(struct sock *sk, struct plain_socket *plain, const struct passed *passed,
				    int moved, __u32 direction, const struct oisp_identity *identity)
{
	struct oisp_session *session = session_of(current_tgid(), plain->session, identity);
	__u32 end = tcp_sequence(sk, direction);
	struct call call = {};
	__u32 told = 0;

	if (!session) {
		count(no_state, 1);
		return;
	}
	if (session->ignored) {
		plain->state = PLAIN_IGNORED;
		count(ignored, 1);
		return;
	}
	begin_call(&call, plain->session, direction, bpf_ktime_get_boot_ns());
	tell_of_gap(&call, plain, session, direction, end - moved, end);
	if (passed->buffer || passed->array)
		told = emit_parts(&call, passed, moved, identity);
	if (told < (__u32)moved)
		emit_unseen(&call, plain, session, moved - told);
}

static __always_inline void plain_call(struct sock *sk, int moved, int flags, bool sending, bool in_tls,
				       const struct oisp_identity *identity)
{
	struct plain_socket *plain = bpf_sk_storage_get(&plain_sockets, sk, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	__u32 direction = sending ? OISP_DIRECTION_WRITE : OISP_DIRECTION_READ;
	struct passed passed = {};

	if (!plain) {
		count(no_state, 1);
		return;
	}
	if (plain->state == PLAIN_IGNORED || (!sending && (flags & (MSG_PEEK | MSG_OOB | MSG_ERRQUEUE))))
		return;
	if (moved <= 0) {
		if (plain->state == PLAIN_TAKEN && ends_answer(sk, plain, moved, direction))
			plain_session_ends(sk, plain);
		return;
	}
	if (plain->state == PLAIN_UNDECIDED && in_tls) {
		plain->state = PLAIN_IGNORED;
		return;
	}
	if ((!sending && (flags & MSG_TRUNC)) || !find_passed(sk, sending, &passed))
		passed.buffer = passed.array = 0;
	if (plain->state == PLAIN_UNDECIDED) {
		if (!decide(sk, plain, &passed, moved, direction, identity))
			return;
	}
	pass_on(sk, plain, &passed, moved, direction, identity);
}

#endif
