/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One entry and one return program for every TLS library: what a call means, and where its
 * arguments are, is in the site's slot, whose number is the link's cookie.
 */
#ifndef OISP_TLS_SITES_BPF_H
#define OISP_TLS_SITES_BPF_H

static __always_inline int emit_chunk(struct transfer *transfer, __u32 length, const __u32 room)
{
	struct ticket ticket = {};
	struct oisp_tls_data *data;
	__u32 flags = transfer->flags;

	data = reserve(&events, OISP_FAMILY_TLS, sizeof(*data) + room, length, &ticket);
	if (!data)
		return 0;
	if (transfer->offset == 0)
		flags |= OISP_FLAG_FIRST_OF_CALL;
	if (transfer->offset + length >= transfer->captured)
		flags |= OISP_FLAG_LAST_OF_CALL;
	barrier_var(length);
	if (length > room)
		length = room;
	if (bpf_probe_read_user(data->payload, length, (void *)(transfer->buffer + transfer->offset))) {
		count(faults, 1);
		flags |= OISP_FLAG_FAULT;
		length = 0;
	}
	fill_header(&data->header, OISP_FAMILY_TLS, OISP_KIND_TLS_DATA, sizeof(*data) + length, &ticket,
		    &transfer->identity, transfer->entry_ns, transfer->return_ns);
	fill_who_current(&data->header);
	data->header.flags = flags;
	data->session = transfer->session;
	data->stream_offset = transfer->stream_offset;
	data->other_offset = transfer->other_offset;
	data->call_length = transfer->call_length;
	data->call_offset = transfer->offset;
	data->payload_length = length;
	data->site = transfer->site;
	__builtin_memset(data->reserved, 0, sizeof(data->reserved));
	data->direction = transfer->direction;
	data->asked = transfer->asked;
	submit(data);
	return 0;
}

static long next_chunk(__u32 index, struct loop *loop)
{
	struct transfer *transfer = &loop->state->transfer;
	__u32 left = transfer->captured - transfer->offset;
	__u32 length = left < OISP_CHUNK_BYTES ? left : OISP_CHUNK_BYTES;

	if (length <= 256)
		emit_chunk(transfer, length, 256);
	else if (length <= 1024)
		emit_chunk(transfer, length, 1024);
	else if (length <= 4096)
		emit_chunk(transfer, length, 4096);
	else if (length <= 8192)
		emit_chunk(transfer, length, 8192);
	else
		emit_chunk(transfer, length, OISP_CHUNK_BYTES);
	transfer->offset += length;
	return transfer->offset >= transfer->captured; /* 1 ends the loop */
}

/* The session's counters, made anew where address or pid have come back to another program. */
static __always_inline struct oisp_session *session_of(__u32 tgid, __u64 address, const struct oisp_identity *identity)
{
	struct oisp_session_key key = { .session = address, .tgid = tgid };
	struct oisp_session *session = bpf_map_lookup_elem(&sessions, &key);
	struct oisp_session fresh = { .start_ns = identity->start_ns, .exec_count = identity->exec_count };

	if (session && session->start_ns == identity->start_ns && session->exec_count == identity->exec_count)
		return session;
	/*
	 * A reader and a writer may both be the first: only one of them makes the entry. Both use it,
	 * so a failure to make it says nothing.
	 */
	(void)bpf_map_update_elem(&sessions, &key, &fresh, session ? BPF_ANY : BPF_NOEXIST);
	return bpf_map_lookup_elem(&sessions, &key);
}

/* What passed in a call takes its place in the session. */
static __always_inline void fill_transfer(struct transfer *transfer, struct oisp_session *session,
					  const struct call *call, const struct oisp_identity *identity, __u64 moved,
					  __u64 return_ns)
{
	transfer->identity = *identity;
	transfer->session = call->session;
	transfer->buffer = call->buffer;
	/* Atomic, each in its own place: the two directions may be two threads. */
	if (call->role == OISP_ROLE_WRITE) {
		transfer->direction = OISP_DIRECTION_WRITE;
		transfer->stream_offset = __sync_fetch_and_add(&session->moved[OISP_DIRECTION_WRITE], moved);
		transfer->other_offset = session->moved[OISP_DIRECTION_READ];
	} else {
		transfer->direction = OISP_DIRECTION_READ;
		transfer->stream_offset = __sync_fetch_and_add(&session->moved[OISP_DIRECTION_READ], moved);
		transfer->other_offset = session->moved[OISP_DIRECTION_WRITE];
	}
	transfer->entry_ns = call->entry_ns;
	transfer->return_ns = return_ns;
	transfer->call_length = moved;
	transfer->captured = moved;
	transfer->offset = 0;
	transfer->site = call->site;
	transfer->asked = call->length;
	transfer->flags = session->seen ? 0 : OISP_FLAG_STREAM_NEW;
	session->seen = 1;
}

static __always_inline void emit_data(const struct call *call, const struct oisp_identity *identity, __u64 moved,
				      __u64 return_ns)
{
	struct oisp_session *session = session_of(current_tgid(), call->session, identity);
	struct loop loop = { .state = state_of(bpf_get_current_task_btf(), 1) };
	struct transfer *transfer;

	if (!session || !loop.state) {
		count(no_state, 1);
		return;
	}
	if (session->ignored) {
		count(ignored, 1);
		return;
	}
	transfer = &loop.state->transfer;
	fill_transfer(transfer, session, call, identity, moved, return_ns);
	if (moved > max_capture) {
		transfer->captured = max_capture;
		transfer->flags |= OISP_FLAG_CUT;
		count(cut_bytes, moved - max_capture);
	}
	bpf_loop(max_capture / OISP_CHUNK_BYTES + 1, next_chunk, &loop, 0);
}

static __always_inline struct oisp_tls_session *begin_session(const struct call *call,
							      const struct oisp_identity *identity, __u32 event,
							      __u64 return_ns)
{
	struct ticket ticket = {};
	struct oisp_tls_session *record;

	record = reserve(&events, OISP_FAMILY_TLS, sizeof(*record), 0, &ticket);
	if (!record)
		return 0;
	fill_header(&record->header, OISP_FAMILY_TLS, OISP_KIND_TLS_SESSION, sizeof(*record), &ticket, identity,
		    call->entry_ns, return_ns);
	fill_who_current(&record->header);
	record->session = call->session;
	record->result = 0;
	record->event = event;
	record->site = call->site;
	record->name_length = 0;
	record->is_server = 0;
	__builtin_memset(record->name, 0, sizeof(record->name));
	return record;
}

static __always_inline void emit_session(const struct call *call, const struct oisp_identity *identity, __u32 event,
					 __s64 value, __u32 site_flags, __u64 return_ns)
{
	struct oisp_tls_session *record = begin_session(call, identity, event, return_ns);

	if (!record)
		return;
	record->result = value;
	record->is_server = (site_flags & OISP_SITE_IS_SERVER) != 0;
	submit(record);
}

static __always_inline void emit_name(const struct call *call, const struct oisp_identity *identity)
{
	struct oisp_tls_session *record = begin_session(call, identity, OISP_SESSION_NAME, call->entry_ns);
	long length;

	if (!record)
		return;
	if (call->length) { /* a name with its length, not a string */
		__u32 given = call->length < sizeof(record->name) ? call->length : sizeof(record->name);

		barrier_var(given);
		if (given > sizeof(record->name))
			given = sizeof(record->name);
		length = bpf_probe_read_user(record->name, given, (void *)call->buffer) ? -1 : (long)given;
	} else {
		length = bpf_probe_read_user_str(record->name, sizeof(record->name), (void *)call->buffer);
		if (length > 0)
			length--; /* the NUL */
	}
	if (length < 0) {
		count(faults, 1);
		record->header.flags |= OISP_FLAG_FAULT;
		length = 0;
	}
	record->name_length = length;
	submit(record);
}

static __always_inline void forget_session(__u32 tgid, __u64 address)
{
	struct oisp_session_key key = { .session = address, .tgid = tgid };

	bpf_map_delete_elem(&sessions, &key);
}

static __always_inline void emit_fd(const struct call *call, const struct oisp_identity *identity)
{
	__u64 sk;

	emit_session(call, identity, OISP_SESSION_FD, (__s32)call->length, 0, call->entry_ns);
	sk = socket_of_descriptor((__u32)call->length);
	if (sk)
		link_session(call->session, sk, identity, call->entry_ns);
}

/* Calls whose meaning is complete at the entry. */
static __always_inline void finish_at_entry(struct call *call, const struct oisp_identity *identity,
					    const struct oisp_site *site, const void *context)
{
	switch (call->role) {
	case OISP_ROLE_FREE:
		emit_session(call, identity, OISP_SESSION_FREE, 0, site->flags, call->entry_ns);
		forget_session(current_tgid(), call->session);
		break;
	case OISP_ROLE_SHUTDOWN:
		emit_session(call, identity, OISP_SESSION_SHUTDOWN, 0, site->flags, call->entry_ns);
		break;
	case OISP_ROLE_SET_NAME:
		emit_name(call, identity);
		break;
	case OISP_ROLE_SET_FD:
		emit_fd(call, identity);
		break;
	case OISP_ROLE_HANDSHAKE:
		emit_session(call, identity, OISP_SESSION_HANDSHAKE, 0, site->flags, call->entry_ns);
		break;
	case OISP_ROLE_READ:
	case OISP_ROLE_WRITE: {
		/*
		 * A copy whose size is an argument, or a result that is at hand: nothing is to be waited
		 * for. It is an int: the rest of a register that holds it may be anything.
		 */
		__u32 moved = site->count.kind ? read_argument(context, &site->count) : call->length;

		if (moved && moved < (1u << 31))
			emit_data(call, identity, moved, call->entry_ns);
		break;
	}
	}
}

static __always_inline void push_call(const struct call *call)
{
	struct task_state *state = state_of(bpf_get_current_task_btf(), 1);
	__u32 depth;

	if (!state) {
		count(no_state, 1);
		return;
	}
	depth = state->depth;
	if (depth >= CALL_DEPTH) { /* calls that a longjmp or an exception left */
		count(no_state, 1);
		depth = 0;
	}
	state->calls[depth & (CALL_DEPTH - 1)] = *call;
	state->depth = depth + 1;
}

/* The latest call that entered at this site, with all above it: those never returned. */
static __always_inline bool pop_call(__u32 site, struct call *call)
{
	struct task_state *state = state_of(bpf_get_current_task_btf(), 0);
	__u32 depth;

	if (!state)
		return 0;
	for (depth = CALL_DEPTH; depth > 0; depth--) {
		if (depth > state->depth || state->calls[depth - 1].site != site)
			continue;
		*call = state->calls[depth - 1];
		state->depth = depth - 1;
		return 1;
	}
	return 0;
}

static __always_inline bool is_guarded(const void *context, const struct oisp_site *site)
{
	return (site->flags & OISP_SITE_HAS_GUARD) &&
	       (__u32)read_argument(context, &site->guard) != (__u32)site->guard_value;
}

static __always_inline void read_call(struct pt_regs *context, const struct oisp_site *site, struct call *call)
{
	if (is_register(&site->session, OISP_ARG_REGISTER, ORDINARY_1) &&
	    is_register(&site->buffer, OISP_ARG_REGISTER, ORDINARY_2) &&
	    is_register(&site->length, OISP_ARG_REGISTER, ORDINARY_3)) {
		call->session = first_argument(context);
		call->buffer = second_argument(context);
		call->length = third_argument(context);
	} else {
		call->session = read_argument(context, &site->session);
		call->buffer = read_argument(context, &site->buffer);
		call->length = read_argument(context, &site->length);
	}
	if (site->count.kind == OISP_ARG_POINTER_REGISTER)
		call->count_pointer = read_argument(context, &site->count) + site->count.offset;
}

#include "record-layer.bpf.h" /* made of what is above */

#define ECHO_NS 100000000

/*
 * A file that overlay mounts show under several numbers is probed once for each, so one instruction hits several
 * sites, one right after the other. (Of calls with a return, pop_call() takes the first.)
 */
static __always_inline bool is_echo(const struct call *call, const void *context)
{
	struct task_state *state = state_of(bpf_get_current_task_btf(), 1);

	if (!state)
		return 0;
	if (state->taken_site != call->site && state->taken_ip == instruction(context) &&
	    call->entry_ns - state->taken_ns < ECHO_NS)
		return 1;
	state->taken_site = call->site;
	state->taken_ip = instruction(context);
	state->taken_ns = call->entry_ns;
	return 0;
}

SEC("kprobe")
int site_entry(struct pt_regs *context)
{
	__u32 tgid = current_tgid();
	__u32 number = bpf_get_attach_cookie(context);
	struct oisp_identity *identity = bpf_map_lookup_elem(&watched, &tgid);
	struct oisp_site_slot *slot;
	struct call call = {};

	if (!identity)
		return 0;
	slot = bpf_map_lookup_elem(&site_slots, &number);
	if (!slot || !slot->in_use || is_guarded(context, &slot->site))
		return 0;
	call.entry_ns = bpf_ktime_get_boot_ns();
	call.site = number;
	call.role = slot->site.role;
	if (!(slot->site.flags & OISP_SITE_HAS_RETURN) && is_echo(&call, context))
		return 0;
	read_call(context, &slot->site, &call);
	if (call.role == OISP_ROLE_SEAL)
		on_seal(context, &slot->site, &call, identity);
	else if (call.role == OISP_ROLE_OPEN)
		on_open(context, &slot->site, &call, identity);
	else if (call.role == OISP_ROLE_OPENED)
		on_opened(&slot->site, number, identity);
	else if (slot->site.flags & OISP_SITE_HAS_RETURN)
		push_call(&call);
	else if (call.session)
		finish_at_entry(&call, identity, &slot->site, context);
	return 0;
}

static __always_inline __u64 bytes_moved(const struct oisp_site *site, const struct call *call, __s32 value)
{
	__u64 moved = 0;

	if (value <= 0)
		return 0;
	if (site->count.kind != OISP_ARG_POINTER_REGISTER)
		return value;
	if (bpf_probe_read_user(&moved, sizeof(moved), (void *)call->count_pointer)) {
		count(faults, 1);
		return 0;
	}
	return moved < (1u << 31) ? moved : 0;
}

static __always_inline void finish_data(const struct oisp_site *site, const struct call *call,
					const struct oisp_identity *identity, __s32 value, __u64 now)
{
	__u64 moved = bytes_moved(site, call, value);

	if (moved)
		emit_data(call, identity, moved, now);
	else
		count(would_block, 1);
}

SEC("kprobe")
int site_return(struct pt_regs *context)
{
	__u32 tgid = current_tgid();
	__u32 number = bpf_get_attach_cookie(context);
	struct oisp_identity *identity = bpf_map_lookup_elem(&watched, &tgid);
	struct oisp_site_slot *slot;
	struct call call = {};
	__u64 now;

	if (!identity)
		return 0;
	slot = bpf_map_lookup_elem(&site_slots, &number);
	if (!slot || !slot->in_use)
		return 0;
	if (!pop_call(number, &call)) {
		if (!(slot->site.flags & OISP_SITE_HAS_GUARD))
			count(unknown_calls, 1);
		return 0;
	}
	now = bpf_ktime_get_boot_ns();
	switch (call.role) {
	case OISP_ROLE_READ:
	case OISP_ROLE_WRITE:
		finish_data(&slot->site, &call, identity, (__s32)result(context), now);
		break;
	case OISP_ROLE_HANDSHAKE:
		emit_session(&call, identity, OISP_SESSION_HANDSHAKE, (__s32)result(context), slot->site.flags, now);
		break;
	case OISP_ROLE_SHUTDOWN:
		emit_session(&call, identity, OISP_SESSION_SHUTDOWN, (__s32)result(context), slot->site.flags, now);
		break;
	case OISP_ROLE_NEW:
		call.session = result(context);
		if (!call.session)
			break;
		forget_session(tgid, call.session);
		emit_session(&call, identity, OISP_SESSION_NEW, 0, slot->site.flags, now);
		break;
	default: /* the others need no return, but a site may ask for one */
		finish_at_entry(&call, identity, &slot->site, context);
		break;
	}
	return 0;
}

/* Does a return probe harm a program here? The helper's own child tries. */
SEC("kprobe")
int canary_entry(struct pt_regs *context)
{
	struct oisp_control *shared = control_here();

	if (shared && shared->canary_tgid == current_tgid())
		add(shared->canary_entries, 1);
	return 0;
}

SEC("kprobe")
int canary_return(struct pt_regs *context)
{
	struct oisp_control *shared = control_here();

	if (shared && shared->canary_tgid == current_tgid())
		add(shared->canary_returns, 1);
	return 0;
}

#endif
