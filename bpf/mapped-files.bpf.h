/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Files that watched processes execute or map: each is told to the opener once, so that a TLS
 * library is probed before it is first used, and to the collector once per process.
 */
#ifndef OISP_MAPPED_FILES_BPF_H
#define OISP_MAPPED_FILES_BPF_H

/*
 * Does anybody notice a stop of this process? A shell's job control, where its process group is its
 * own; a debugger; and programs that run another one for somebody, which stop themselves with it.
 */
static __always_inline bool is_noticed(struct task_struct *task)
{
	struct task_struct *parent = BPF_CORE_READ(task, real_parent, group_leader);
	char name[16] = {};

	if (BPF_CORE_READ(task, ptrace) || BPF_CORE_READ(task, cred, uid.val) != BPF_CORE_READ(parent, cred, uid.val) ||
	    BPF_CORE_READ(task, signal, pids[PIDTYPE_PGID]) != BPF_CORE_READ(parent, signal, pids[PIDTYPE_PGID]))
		return 1;
	BPF_CORE_READ_INTO(&name, parent, comm);
	return (name[0] == 's' && name[1] == 'u') ||				/* su, sudo */
	       (name[0] == 'd' && name[1] == 'o' && name[2] == 'a') ||		/* doas */
	       (name[0] == 'r' && name[1] == 'u' && name[2] == 'n');		/* runuser */
}

/*
 * Stops the current process until its new file is probed. The signal comes first: whoever finds the
 * process on the list, takes it off and continues it, does so after the stop.
 */
static __always_inline bool hold_current(struct task_struct *task)
{
	struct oisp_control *shared = control_here();
	__u32 tgid = current_tgid();
	__u64 slot = (__u64)tgid << 32 | (__u32)(bpf_ktime_get_boot_ns() / OISP_HELD_UNIT_NS);
	__u32 i;

	if (!shared || !shared->hold || is_noticed(task))
		return 0;
	if (bpf_send_signal(SIGSTOP))
		return 0;
	for (i = 0; i < OISP_HELD_PLACES; i++) {
		if (!__sync_val_compare_and_swap(&shared->held[(tgid + i) % OISP_HELD_SLOTS], 0, slot))
			return 1;
	}
	bpf_send_signal(SIGCONT);
	return 0;
}

/* The process ends: its number may be another's soon. */
static __always_inline void forget_held(__u32 tgid)
{
	struct oisp_control *shared = control_here();
	__u32 i;

	if (!shared)
		return;
	for (i = 0; i < OISP_HELD_PLACES; i++) {
		__u64 *place = &shared->held[(tgid + i) % OISP_HELD_SLOTS];
		__u64 slot = *place;

		if (slot >> 32 == tgid)
			__sync_val_compare_and_swap(place, slot, 0);
	}
}

struct mapping {
	struct oisp_file_key file;
	__u64 stamp;
	__u64 address;
	__u64 size;
	__u32 source;
	__u32 may_hold; /* it looks like code, so it is worth a stop */
};

/* Which file it is; and what is another where its content was changed, or its number is another file's. */
static __always_inline void identify(struct file *file, struct mapping *mapping)
{
	struct inode *inode = BPF_CORE_READ(file, f_inode);
	struct inode___6_11 *split = (void *)inode;
	struct inode___6_7 *hidden = (void *)inode;
	struct inode___6_1 *plain = (void *)inode;
	__u64 seconds, nanoseconds;

	if (bpf_core_field_exists(split->i_mtime_sec)) {
		seconds = BPF_CORE_READ(split, i_mtime_sec);
		nanoseconds = BPF_CORE_READ(split, i_mtime_nsec);
	} else if (bpf_core_field_exists(hidden->__i_mtime)) {
		seconds = BPF_CORE_READ(hidden, __i_mtime.tv_sec);
		nanoseconds = BPF_CORE_READ(hidden, __i_mtime.tv_nsec);
	} else {
		seconds = BPF_CORE_READ(plain, i_mtime.tv_sec);
		nanoseconds = BPF_CORE_READ(plain, i_mtime.tv_nsec);
	}
	mapping->stamp = (seconds * 1000000000 + nanoseconds) * 31 + BPF_CORE_READ(inode, i_size);
	mapping->stamp = (mapping->stamp * 31 + BPF_CORE_READ(inode, i_generation)) | 1;
	file_key(file, &mapping->file);
}

/* True once for each content of a file, also where two processes ask at once. */
static __always_inline bool is_new(const struct mapping *mapping)
{
	__u64 *known = bpf_map_lookup_elem(&seen_files, &mapping->file);
	__u64 before;

	if (!known)
		return !bpf_map_update_elem(&seen_files, &mapping->file, &mapping->stamp, BPF_NOEXIST);
	before = *known;
	if (before == mapping->stamp)
		return 0;
	return __sync_val_compare_and_swap(known, before, mapping->stamp) == before && before;
}

static __always_inline void announce_file(const struct mapping *mapping, struct task_struct *task,
					  const struct oisp_identity *identity, const bool foreign)
{
	struct oisp_file_record *record;
	struct ticket ticket = {};
	__u64 now = bpf_ktime_get_boot_ns();

	if (!is_new(mapping))
		return;
	record = reserve(&files, OISP_FAMILY_FILE, sizeof(*record), sizeof(*record), &ticket);
	if (!record) {
		bpf_map_delete_elem(&seen_files, &mapping->file);
		return;
	}
	fill_header(&record->header, OISP_FAMILY_FILE, OISP_KIND_FILE, sizeof(*record), &ticket, identity, now, now);
	if (foreign)
		fill_who_task(&record->header, task);
	else
		fill_who_current(&record->header);
	record->file = mapping->file;
	record->address = mapping->address;
	record->size = mapping->size;
	record->source = mapping->source;
	record->held = mapping->may_hold && hold_current(task);
	if (record->held) /* the launcher always sleeps */
		bpf_ringbuf_submit(record, BPF_RB_FORCE_WAKEUP);
	else
		submit(record);
}

static __always_inline void emit_mapped(const struct mapping *mapping, struct file *file, struct task_struct *task,
					const struct oisp_identity *identity, const bool foreign)
{
	struct mapping_key key = { .file = mapping->file, .exec_count = identity->exec_count };
	struct oisp_process_mapped *record;
	struct ticket ticket = {};
	__u64 now = bpf_ktime_get_boot_ns();
	__u8 one = 1;
	long length;

	key.tgid = BPF_CORE_READ(task, tgid);
	if (bpf_map_update_elem(&seen_mappings, &key, &one, BPF_NOEXIST))
		return;
	record = reserve(&events, OISP_FAMILY_PROCESS, sizeof(*record), sizeof(*record), &ticket);
	if (!record)
		return;
	fill_header(&record->header, OISP_FAMILY_PROCESS, OISP_KIND_PROCESS_MAPPED, sizeof(*record), &ticket,
		    identity, now, now);
	if (foreign)
		fill_who_task(&record->header, task);
	else
		fill_who_current(&record->header);
	record->file = mapping->file;
	record->reserved = 0;
	__builtin_memset(record->name, 0, sizeof(record->name));
	length = bpf_probe_read_kernel_str(record->name, sizeof(record->name),
					   BPF_CORE_READ(file, f_path.dentry, d_name.name));
	record->name_length = length > 0 ? length - 1 : 0;
	submit(record);
}

/* The file that an exec made the process's program. */
static __always_inline void announce_program(struct task_struct *task, const struct oisp_identity *identity)
{
	struct mapping mapping = { .source = OISP_FILE_FROM_EXEC, .may_hold = 1 };

	identify(BPF_CORE_READ(task, mm, exe_file), &mapping);
	announce_file(&mapping, task, identity, 0);
}

static __always_inline struct file *file_of_descriptor(struct task_struct *task, __u32 descriptor)
{
	struct fdtable *table = BPF_CORE_READ(task, files, fdt);
	struct file **slots = BPF_CORE_READ(table, fd);
	struct file *file = 0;

	if (descriptor >= BPF_CORE_READ(table, max_fds))
		return 0;
	bpf_probe_read_kernel(&file, sizeof(file), slots + descriptor);
	return file;
}

/*
 * An mmap(2) that looks for an address: what a dynamic loader does once per library, before it maps
 * the segments over it. The range is right but for huge files, which the kernel may align later.
 */
SEC("tp_btf/vm_unmapped_area")
int BPF_PROG(on_mapping, unsigned long address, struct vm_unmapped_area_info *info)
{
	__u32 tgid = current_tgid();
	struct oisp_identity *identity = bpf_map_lookup_elem(&watched, &tgid);
	struct task_struct *task = bpf_get_current_task_btf();
	struct mapping mapping = { .source = OISP_FILE_FROM_MMAP };
	struct pt_regs *regs;
	struct file *file;
	__u64 flags;

	if (!identity || (long)address < 0)
		return 0;
	regs = (struct pt_regs *)bpf_task_pt_regs(task);
	if (system_call(regs) != CALL_MMAP)
		return 0;
	flags = call_argument_4(regs);
	if ((flags & MAP_ANONYMOUS) || (flags & MAP_TYPE) != MAP_PRIVATE || (call_argument_3(regs) & PROT_WRITE))
		return 0;
	file = file_of_descriptor(task, call_argument_5(regs));
	if (!file || (BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFREG)
		return 0;
	identify(file, &mapping);
	/* glibc's loader says MAP_DENYWRITE; musl's says nothing, so its libraries are not waited for. */
	mapping.may_hold = (flags & MAP_DENYWRITE) || (call_argument_3(regs) & PROT_EXEC);
	mapping.address = address;
	mapping.size = (call_argument_2(regs) + 4095) & ~4095ull;
	emit_mapped(&mapping, file, task, identity, 0);
	announce_file(&mapping, task, identity, 0);
	return 0;
}

/* Run once by the helper when the watch begins on programs that run already. */
SEC("iter/task_vma")
int find_mappings(struct bpf_iter__task_vma *context)
{
	struct task_struct *task = context->task;
	struct vm_area_struct *vma = context->vma;
	struct mapping mapping = { .source = OISP_FILE_FROM_VMA };
	struct oisp_identity *identity;
	struct file *file;
	__u32 tgid;

	if (!task || !vma)
		return 0;
	tgid = BPF_CORE_READ(task, tgid);
	identity = bpf_map_lookup_elem(&watched, &tgid);
	if (!identity || (__u32)BPF_CORE_READ(task, pid) != tgid)
		return 0;
	file = BPF_CORE_READ(vma, vm_file);
	if (!file || !(BPF_CORE_READ(vma, vm_flags) & VM_EXEC))
		return 0;
	identify(file, &mapping);
	mapping.address = BPF_CORE_READ(vma, vm_start);
	mapping.size = BPF_CORE_READ(vma, vm_end) - mapping.address;
	emit_mapped(&mapping, file, task, identity, 1);
	announce_file(&mapping, task, identity, 1);
	return 0;
}

#endif
