/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * TLS libraries whose one place that all plaintext passes is the record layer (rustls). It holds a box for each
 * direction, and moves, so a session is named by its boxes. Keys change, and a freed box is soon another's: at
 * sequence number 0, what was known of a box that had been used is forgotten.
 *
 * All distances come from the site; all that is read there is checked before it is believed.
 */
#ifndef OISP_RECORD_LAYER_BPF_H
#define OISP_RECORD_LAYER_BPF_H

#define MOST_PLAINTEXT 16384 /* RFC 8446 section 5.1 */
#define LEAST_SEAL 16	     /* bytes that a record is longer than its plaintext */
#define MOST_SLICES 1024     /* IOV_MAX */
#define RESULT_WORDS 8

#define CONTENT_ALERT 1 /* rustls' own order: change of cipher, alert, handshake, application data */
#define CONTENT_HANDSHAKE 2
#define CONTENT_DATA 3
#define SESSION_TICKET 4 /* RFC 8446 section 4: of a session whose handshake is done */

#define WRITING 0
#define READING 1

/* One key, as it is when a record passes. */
struct key_now {
	__u64 box;
	__u64 sequence;
};

static __always_inline __u64 named_by(const struct key_now *key)
{
	struct box_key place = { .box = key->box, .tgid = current_tgid() };
	struct box *box = bpf_map_lookup_elem(&boxes, &place);

	if (!key->box || !box || (key->sequence == 0 && box->used != 0))
		return 0;
	return box->session;
}

static __always_inline void tie(const struct key_now *key, __u64 name, __u64 used)
{
	struct box_key place = { .box = key->box, .tgid = current_tgid() };
	struct box box = { .session = name, .used = used };

	if (key->box && bpf_map_update_elem(&boxes, &place, &box, BPF_ANY))
		count(no_state, 1);
}

/* A name that no other session of the process has had: boxes come back, moments do not. */
static __always_inline __u64 name_anew(__u64 now, const struct oisp_identity *identity, bool is_new)
{
	__u64 name = (now & ~1023ull) | (bpf_get_smp_processor_id() & 1023);
	struct oisp_session *session = session_of(current_tgid(), name, identity);

	if (session)
		session->is_new = is_new;
	return name;
}

/* The session of a record that passes in one direction; both its boxes are then tied to it. */
static __always_inline __u64 session_of_keys(const struct key_now keys[2], __u32 direction, __u64 now,
					     const struct oisp_identity *identity)
{
	const struct key_now *own = &keys[direction];
	const struct key_now *other = &keys[!direction];
	__u64 name = named_by(own);
	__u64 others = named_by(other);

	if (!name)
		name = others;
	if (!name)
		name = name_anew(now, identity, own->sequence == 0);
	tie(own, name, own->sequence + 1);
	if (others != name)
		tie(other, name, other->sequence);
	return name;
}

/* Both keys, by the layer that holds them; 0 where it cannot be read. */
static __always_inline bool read_keys(__u64 layer, const struct oisp_layer *at, struct key_now keys[2])
{
	__u64 found[3] = {};
	__u64 sequences[2] = {};

	if (bpf_probe_read_user(found, sizeof(found), (void *)(layer + at->boxes)) ||
	    bpf_probe_read_user(sequences, sizeof(sequences), (void *)(layer + at->sequences)))
		return 0;
	keys[WRITING].box = found[0];
	keys[READING].box = found[2];
	keys[WRITING].sequence = sequences[0];
	keys[READING].sequence = sequences[1];
	return 1;
}

static long next_slice(__u32 index, struct loop *loop)
{
	struct slices *slices = &loop->state->slices;
	__u64 slice[2] = {};
	__u64 from = slices->at;
	__u64 to;

	if (bpf_probe_read_user(slice, sizeof(slice), (void *)(slices->array + (__u64)index * sizeof(slice))))
		return 1;
	if (slice[1] > ~0u)
		return 1;
	slices->at += slice[1];
	to = slices->at < slices->end ? slices->at : slices->end;
	slices->call.buffer = slice[0];
	if (from < slices->start) {
		slices->call.buffer += slices->start - from;
		from = slices->start;
	}
	if (from < to)
		emit_data(&slices->call, &slices->identity, to - from, slices->call.entry_ns);
	return slices->at >= slices->end;
}

static __always_inline void tell_of_new(const struct call *call, const struct oisp_identity *identity)
{
	struct oisp_session *session = session_of(current_tgid(), call->session, identity);

	if (!session || session->is_new != 1)
		return;
	session->is_new = 2;
	emit_session(call, identity, OISP_SESSION_NEW, 0, 0, call->entry_ns);
}

/* An alert ends what came before it. */
static __always_inline void tell_of_end(const struct call *call, const struct oisp_identity *identity)
{
	struct oisp_session *session = session_of(current_tgid(), call->session, identity);

	if (session && (session->seen || session->is_new == 2))
		emit_session(call, identity, OISP_SESSION_SHUTDOWN, 0, 0, call->entry_ns);
}

/* `message` is application data: one slice, or (behind what says so) an array of them of which a part is meant. */
static __always_inline void emit_message(const struct call *call, const struct oisp_identity *identity, __u64 message,
					 __u32 slice)
{
	struct loop loop = { .state = state_of(bpf_get_current_task_btf(), 1) };
	__u64 words[4] = {};
	__u64 array = 0;
	struct slices *slices;

	if (!loop.state) {
		count(no_state, 1);
		return;
	}
	if ((slice && bpf_probe_read_user(&array, sizeof(array), (void *)message)) ||
	    bpf_probe_read_user(words, 3 * sizeof(words[0]), (void *)(message + slice))) {
		count(faults, 1);
		return;
	}
	slices = &loop.state->slices;
	slices->call = *call;
	slices->identity = *identity;
	slices->at = 0;
	if (array) {
		slices->array = array;
		slices->start = words[1];
		slices->end = words[2];
	} else {
		slices->array = message + slice;
		slices->start = 0;
		slices->end = words[1];
		words[0] = 1;
	}
	if (slices->start > slices->end || slices->end - slices->start > MOST_PLAINTEXT || words[0] > MOST_SLICES) {
		count(faults, 1);
		return;
	}
	tell_of_new(call, identity);
	bpf_loop(words[0], next_slice, &loop, 0);
	if (slices->at < slices->end)
		count(faults, 1);
}

static __always_inline void on_seal(const void *context, const struct oisp_site *site, struct call *call,
				    const struct oisp_identity *identity)
{
	struct key_now keys[2] = {};
	__u8 type = 0;

	if (!read_keys(call->session, &site->layer, keys) ||
	    bpf_probe_read_user(&type, sizeof(type), (void *)(call->buffer + site->layer.type))) {
		count(faults, 1);
		return;
	}
	keys[WRITING].sequence = read_argument(context, &site->count);
	call->session = session_of_keys(keys, WRITING, call->entry_ns, identity);
	call->role = OISP_ROLE_WRITE;
	if (type == CONTENT_DATA)
		emit_message(call, identity, call->buffer, site->layer.slice);
	else if (type == CONTENT_ALERT)
		tell_of_end(call, identity);
}

static __always_inline void on_open(const void *context, const struct oisp_site *site, struct call *call,
				    const struct oisp_identity *identity)
{
	struct key_now keys[2] = {};
	__u64 box = read_argument(context, &site->guard);
	__u64 input[3] = {};

	/* The layer is known only where a register still holds it, and is it only if it holds this box. */
	if (!call->session || !read_keys(call->session, &site->layer, keys) || keys[READING].box != box)
		keys[WRITING].box = 0;
	keys[READING].box = box;
	keys[READING].sequence = read_argument(context, &site->count);
	call->session = session_of_keys(keys, READING, call->entry_ns, identity);
	call->role = OISP_ROLE_READ;
	call->count_pointer = call->length; /* where the result will be */
	if (bpf_probe_read_user(input, sizeof(input), (void *)call->buffer)) {
		count(faults, 1);
		return;
	}
	call->buffer = input[0];
	call->length = input[1];
	if (site->layer.slice) { /* a vector: its room is less than any address */
		call->buffer = input[0] > input[1] ? input[0] : input[1];
		call->length = input[2];
	}
	push_call(call);
}

/* What was decrypted: `length` bytes at `plaintext`, of a record that lies at call->buffer. */
static __always_inline void on_plaintext(struct call *call, const struct oisp_identity *identity, __u8 type,
					 __u64 plaintext, __u64 length)
{
	__u8 message = 0;

	if (type == CONTENT_HANDSHAKE)
		bpf_probe_read_user(&message, sizeof(message), (void *)plaintext);
	if (type != CONTENT_DATA && type != CONTENT_ALERT && message != SESSION_TICKET)
		return; /* of a handshake, whose keys are soon gone */
	tell_of_new(call, identity);
	link_received(call->session, call->buffer, call->length, identity, call->entry_ns);
	call->buffer = plaintext;
	if (type == CONTENT_ALERT)
		tell_of_end(call, identity);
	else if (type == CONTENT_DATA && length)
		emit_data(call, identity, length, bpf_ktime_get_boot_ns());
}

/* Whether a plaintext of this length may lie so far from where its record begins. */
static __always_inline bool fits(const struct call *call, __u64 distance, __u64 length)
{
	return distance <= call->length && length <= call->length - distance && length <= MOST_PLAINTEXT &&
	       length + LEAST_SEAL <= call->length;
}

/*
 * The plaintext lies where its ciphertext lay: the one address and length in the result that are within the input. In a
 * vector its room may stand between them, which does not fit: it is the ciphertext's.
 */
static __always_inline void on_opened(const struct oisp_site *site, __u32 number, const struct oisp_identity *identity)
{
	__u64 words[RESULT_WORDS] = {};
	struct call call = {};
	__u8 type = 0;
	int i;

	if (!pop_call(number - 1, &call))
		return;
	if (bpf_probe_read_user(words, sizeof(words), (void *)call.count_pointer)) {
		count(faults, 1);
		return;
	}
	for (i = 0; i + 1 < RESULT_WORDS; i++) {
		__u64 distance = words[i] - call.buffer;
		int at = i + 1;

		if (site->layer.slice && at + 1 < RESULT_WORDS && !fits(&call, distance, words[at]))
			at++;
		if (!fits(&call, distance, words[at]))
			continue;
		bpf_probe_read_user(&type, sizeof(type), (void *)(call.count_pointer + at * 8 + site->layer.type));
		on_plaintext(&call, identity, type, words[i], words[at]);
		return;
	}
	count(faults, 1); /* or it could not be decrypted, which ends the connection */
}

#endif
