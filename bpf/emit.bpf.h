/* SPDX-License-Identifier: GPL-2.0-only */
/* Identity, sequence numbers, reservations and wake-ups: what every record goes through. */
#ifndef OISP_EMIT_BPF_H
#define OISP_EMIT_BPF_H

#define add(counter, amount) ((void)__sync_fetch_and_add(&(counter), (amount)))

static __always_inline struct oisp_counters *counters_here(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&counters, &zero);
}

#define count(field, amount)                                      \
	do {                                                      \
		struct oisp_counters *counters_ = counters_here(); \
		if (counters_)                                    \
			add(counters_->field, (amount));          \
	} while (0)

static __always_inline struct oisp_control *control_here(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&control, &zero);
}

static __always_inline __u32 current_tgid(void)
{
	return bpf_get_current_pid_tgid() >> 32;
}

static __always_inline void read_identity(struct task_struct *task, struct oisp_identity *identity)
{
	struct task_struct *leader = BPF_CORE_READ(task, group_leader);

	identity->start_ns = BPF_CORE_READ(leader, start_boottime);
	identity->exec_count = BPF_CORE_READ(task, self_exec_id);
	identity->mount_ns = BPF_CORE_READ(task, nsproxy, mnt_ns, ns.inum);
}

/* What a record's sequence number and CPU are: taken before the ring is asked for space. */
struct ticket {
	__u64 sequence;
	__u32 cpu;
};

/*
 * `size` and `family` are constants. `bytes` is what the reader misses where the ring is full:
 * plaintext for TLS data, else the record. A record that got its space is always submitted.
 */
static __always_inline void *reserve(void *ring, __u8 family, __u32 size, __u32 bytes, struct ticket *ticket)
{
	struct oisp_counters *here = counters_here();
	void *record;

	if (!here)
		return 0;
	ticket->cpu = bpf_get_smp_processor_id();
	ticket->sequence = __sync_fetch_and_add(&here->sequence[family], 1);
	record = bpf_ringbuf_reserve(ring, size, 0);
	if (!record) {
		add(here->dropped[family], 1);
		add(here->dropped_bytes[family], bytes);
		return 0;
	}
	add(here->submitted[family], 1);
	return record;
}

/*
 * A wake-up costs the watched program more than all else here, so only a consumer that said it
 * sleeps is woken, and by one producer only.
 */
static __always_inline void submit(void *record)
{
	struct oisp_control *shared = control_here();
	__u64 flags = BPF_RB_NO_WAKEUP;

	if (shared && __sync_lock_test_and_set(&shared->sleeping, 0) == 1)
		flags = BPF_RB_FORCE_WAKEUP;
	bpf_ringbuf_submit(record, flags);
}

/* All of the header but what says who: fill_who_current() or the caller does that. */
static __always_inline void fill_header(struct oisp_record_header *header, __u8 family, __u8 kind, __u32 length,
					const struct ticket *ticket, const struct oisp_identity *identity,
					__u64 entry_ns, __u64 return_ns)
{
	header->version = OISP_RECORD_VERSION;
	header->family = family;
	header->kind = kind;
	header->length = length;
	header->cpu = ticket->cpu;
	header->flags = 0;
	header->sequence = ticket->sequence;
	header->entry_ns = entry_ns;
	header->return_ns = return_ns;
	header->start_ns = identity->start_ns;
	header->exec_count = identity->exec_count;
	header->mount_ns = identity->mount_ns;
	header->reserved = 0;
}

static __always_inline void fill_who_current(struct oisp_record_header *header)
{
	__u64 pid_tgid = bpf_get_current_pid_tgid();

	header->tgid = pid_tgid >> 32;
	header->tid = (__u32)pid_tgid;
	header->uid = (__u32)bpf_get_current_uid_gid();
	header->cgroup_id = bpf_get_current_cgroup_id();
}

/* For iterators, where `task` is not the current one. */
static __always_inline void fill_who_task(struct oisp_record_header *header, struct task_struct *task)
{
	header->tgid = BPF_CORE_READ(task, tgid);
	header->tid = BPF_CORE_READ(task, pid);
	header->uid = BPF_CORE_READ(task, cred, uid.val);
	header->cgroup_id = BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, id);
}

static __always_inline void file_key(struct file *file, struct oisp_file_key *key)
{
	struct inode *inode = BPF_CORE_READ(file, f_inode);

	key->device = BPF_CORE_READ(inode, i_sb, s_dev);
	key->inode = BPF_CORE_READ(inode, i_ino);
}

static __always_inline struct task_state *state_of(struct task_struct *task, bool make)
{
	return bpf_task_storage_get(&tasks, task, 0, make ? BPF_LOCAL_STORAGE_GET_F_CREATE : 0);
}

#endif
