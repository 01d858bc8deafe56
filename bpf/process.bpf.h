/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The tree of watched processes, kept exact in the kernel: children of the watched are watched.
 * Their programs, arguments and directories; the state at start comes from an iterator.
 */
#ifndef OISP_PROCESS_BPF_H
#define OISP_PROCESS_BPF_H

static __always_inline struct mount *mount_of(struct vfsmount *vfsmount)
{
	return (void *)vfsmount - bpf_core_field_offset(struct mount, mnt);
}

/* Upwards: the names from the leaf to the root. */
static long collect_name(__u32 step, struct loop *loop)
{
	struct walk *walk = &loop->state->walk;
	struct dentry *dentry = (struct dentry *)walk->dentry;
	struct mount *mount = (struct mount *)walk->mount;
	struct dentry *parent = BPF_CORE_READ(dentry, d_parent);
	__u32 names;

	if (walk->dentry == walk->root_dentry && walk->mount == walk->root_mount)
		return 1;
	if (dentry == parent || dentry == BPF_CORE_READ(mount, mnt.mnt_root)) {
		struct mount *above = BPF_CORE_READ(mount, mnt_parent);

		walk->dentry = (__u64)BPF_CORE_READ(mount, mnt_mountpoint);
		walk->mount = (__u64)above;
		return above == mount;
	}
	names = walk->names;
	if (names >= PATH_DEPTH) {
		walk->cut = 1;
		return 1;
	}
	loop->state->names[names] = walk->dentry;
	walk->names = names + 1;
	walk->dentry = (__u64)parent;
	return 0;
}

/* Downwards: the text. */
static long write_name(__u32 step, struct loop *loop)
{
	struct walk *walk = &loop->state->walk;
	__u32 index = walk->names - 1 - step;
	__u32 length = walk->length;
	struct dentry *dentry;
	__u32 size;

	if (index >= PATH_DEPTH)
		return 1;
	dentry = (struct dentry *)loop->state->names[index];
	size = BPF_CORE_READ(dentry, d_name.len) & 255;
	if (length >= OISP_PATH_BYTES || length + size + 1 > OISP_PATH_BYTES) {
		walk->cut = 1;
		return 1;
	}
	loop->text[length] = '/';
	bpf_probe_read_kernel(loop->text + length + 1, size, BPF_CORE_READ(dentry, d_name.name));
	walk->length = length + size + 1;
	return 0;
}

/* Writes the path to `text` and returns its length; sets *cut where that is not all of it. */
static __always_inline __u32 write_path(struct task_state *state, __u8 *text, const struct path *path,
					const struct path *root, __u32 *cut)
{
	struct loop loop = { .state = state, .text = text };
	struct walk *walk = &state->walk;

	walk->dentry = (__u64)BPF_CORE_READ(path, dentry);
	walk->mount = (__u64)mount_of(BPF_CORE_READ(path, mnt));
	walk->root_dentry = (__u64)BPF_CORE_READ(root, dentry);
	walk->root_mount = (__u64)mount_of(BPF_CORE_READ(root, mnt));
	walk->names = 0;
	walk->length = 0;
	walk->cut = 0;
	bpf_loop(PATH_DEPTH + 8, collect_name, &loop, 0);
	if (walk->names == 0) {
		text[0] = '/';
		return 1;
	}
	bpf_loop(PATH_DEPTH, write_name, &loop, 0);
	*cut |= walk->cut;
	return walk->length;
}

/* Room for the texts of an exec record: the directories' and a small or a large argv. */
#define EXEC_PATHS (2 * OISP_PATH_BYTES)
#define EXEC_SMALL 512

struct exec_texts {
	struct oisp_identity identity;
	__u64 arguments; /* user address */
	__u32 argv_total;
	__u32 path_length;
	__u32 cwd_length;
	__u32 cut;
	__u32 kind;
	__u32 reserved;
	__u64 now;
};

static __always_inline void append_path(struct oisp_process_exec *record, __u32 at, const __u8 *text, __u32 length)
{
	barrier_var(length);
	if (length > OISP_PATH_BYTES)
		length = OISP_PATH_BYTES;
	barrier_var(at);
	if (at > OISP_PATH_BYTES)
		at = OISP_PATH_BYTES;
	bpf_probe_read_kernel(record->text + at, length, text);
}

static __always_inline void fill_exec(struct oisp_process_exec *record, struct task_struct *task)
{
	struct task_struct *parent = BPF_CORE_READ(task, real_parent, group_leader);
	struct file *exe = BPF_CORE_READ(task, mm, exe_file);

	file_key(exe, &record->exe);
	record->parent_start_ns = BPF_CORE_READ(parent, start_boottime);
	record->parent_tgid = BPF_CORE_READ(parent, tgid);
	record->gid = BPF_CORE_READ(task, cred, gid.val);
	BPF_CORE_READ_INTO(&record->comm, task, comm);
}

/*
 * `foreign`: the task is not the current one, and the program may sleep. `room` is a constant: what
 * of argv fits.
 */
static __always_inline int emit_exec(struct exec_texts *texts, struct task_struct *task, struct task_state *state,
				     const bool foreign, const __u32 room)
{
	struct oisp_process_exec *record;
	struct ticket ticket = {};
	__u32 length, at;
	long failed;

	record = reserve(&events, OISP_FAMILY_PROCESS, sizeof(*record) + EXEC_PATHS + room, sizeof(*record), &ticket);
	if (!record)
		return 0;
	fill_header(&record->header, OISP_FAMILY_PROCESS, texts->kind, 0, &ticket, &texts->identity, texts->now,
		    texts->now);
	if (foreign)
		fill_who_task(&record->header, task);
	else
		fill_who_current(&record->header);
	fill_exec(record, task);
	append_path(record, 0, state->path, texts->path_length);
	append_path(record, texts->path_length, state->cwd, texts->cwd_length);
	record->path_length = texts->path_length;
	record->cwd_length = texts->cwd_length;
	record->argv_total = texts->argv_total;
	at = texts->path_length + texts->cwd_length;
	length = texts->argv_total;
	if (length > room || texts->cut)
		record->header.flags |= OISP_FLAG_TRUNCATED_ARGV;
	barrier_var(length);
	if (length > room)
		length = room;
	barrier_var(at);
	if (at > EXEC_PATHS)
		at = EXEC_PATHS;
	if (foreign)
		failed = bpf_copy_from_user_task(record->text + at, length, (void *)texts->arguments, task, 0);
	else
		failed = bpf_probe_read_user(record->text + at, length, (void *)texts->arguments);
	if (failed) {
		count(faults, 1);
		record->header.flags |= OISP_FLAG_FAULT;
		length = 0;
	}
	record->argv_length = length;
	record->header.length = sizeof(*record) + at + length;
	submit(record);
	return 0;
}

static __always_inline void emit_program(struct task_struct *task, __u32 kind, const bool foreign)
{
	struct task_state *state = state_of(bpf_get_current_task_btf(), 1);
	struct mm_struct *mm = BPF_CORE_READ(task, mm);
	struct file *exe = BPF_CORE_READ(mm, exe_file);
	struct fs_struct *fs = BPF_CORE_READ(task, fs);
	struct exec_texts texts = { .kind = kind, .now = bpf_ktime_get_boot_ns() };

	if (!mm)
		return; /* on its way out */
	if (!state) {
		count(no_state, 1);
		return;
	}
	read_identity(task, &texts.identity);
	texts.path_length = write_path(state, state->path, &exe->f_path, &fs->root, &texts.cut);
	texts.cwd_length = write_path(state, state->cwd, &fs->pwd, &fs->root, &texts.cut);
	texts.arguments = BPF_CORE_READ(mm, arg_start);
	texts.argv_total = BPF_CORE_READ(mm, arg_end) - texts.arguments;
	if (texts.argv_total <= EXEC_SMALL)
		emit_exec(&texts, task, state, foreign, EXEC_SMALL);
	else
		emit_exec(&texts, task, state, foreign, OISP_ARGV_BYTES);
}

static __always_inline bool watch(__u32 tgid, const struct oisp_identity *identity)
{
	if (bpf_map_update_elem(&watched, &tgid, identity, BPF_ANY) == 0)
		return 1;
	count(no_state, 1);
	return 0;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
{
	__u32 tgid = BPF_CORE_READ(parent, tgid);
	__u32 child_tgid = BPF_CORE_READ(child, tgid);
	struct oisp_identity *identity = bpf_map_lookup_elem(&watched, &tgid);
	struct oisp_process_fork *record;
	struct oisp_identity of_child = {};
	struct ticket ticket = {};
	__u64 now;

	if (!identity || child_tgid == tgid) /* a thread */
		return 0;
	read_identity(child, &of_child);
	/* At this moment the child's group leader is the child, but `group_leader` of some kernels is not set yet. */
	of_child.start_ns = BPF_CORE_READ(child, start_boottime);
	watch(child_tgid, &of_child);
	now = bpf_ktime_get_boot_ns();
	record = reserve(&events, OISP_FAMILY_PROCESS, sizeof(*record), sizeof(*record), &ticket);
	if (!record)
		return 0;
	fill_header(&record->header, OISP_FAMILY_PROCESS, OISP_KIND_PROCESS_FORK, sizeof(*record), &ticket, identity,
		    now, now);
	fill_who_current(&record->header);
	record->child_start_ns = of_child.start_ns;
	record->child_tgid = child_tgid;
	record->child_exec_count = of_child.exec_count;
	submit(record);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task, pid_t old_pid, struct linux_binprm *bprm)
{
	__u32 tgid = current_tgid();
	struct oisp_identity identity = {};

	if (!bpf_map_lookup_elem(&watched, &tgid))
		return 0;
	read_identity(task, &identity);
	watch(tgid, &identity);
	emit_program(task, OISP_KIND_PROCESS_EXEC, 0);
	announce_program(task, &identity);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task)
{
	__u32 tgid = current_tgid();
	struct oisp_identity *known = bpf_map_lookup_elem(&watched, &tgid);
	struct signal_struct *signal;
	struct oisp_process_exit *record;
	struct oisp_identity identity;
	struct ticket ticket = {};
	__u64 now;

	if (!known)
		return 0;
	signal = BPF_CORE_READ(task, signal);
	if (BPF_CORE_READ(signal, live.counter) != 0)
		return 0; /* not the last thread */
	identity = *known;
	if (bpf_map_delete_elem(&watched, &tgid))
		return 0; /* two last threads at once: the other one says it */
	forget_held(tgid);
	now = bpf_ktime_get_boot_ns();
	record = reserve(&events, OISP_FAMILY_PROCESS, sizeof(*record), sizeof(*record), &ticket);
	if (!record)
		return 0;
	fill_header(&record->header, OISP_FAMILY_PROCESS, OISP_KIND_PROCESS_EXIT, sizeof(*record), &ticket, &identity,
		    now, now);
	fill_who_current(&record->header);
	if (BPF_CORE_READ(signal, flags) & SIGNAL_GROUP_EXIT)
		record->exit_code = BPF_CORE_READ(signal, group_exit_code);
	else
		record->exit_code = BPF_CORE_READ(task, group_leader, exit_code);
	record->reserved = 0;
	submit(record);
	return 0;
}

/*
 * Run by the helper over all tasks, again until nothing new is found (a child may come before its
 * parent). Adds the tree below `target_tgid` to the watched.
 */
SEC("iter.s/task")
int find_processes(struct bpf_iter__task *context)
{
	struct task_struct *task = context->task;
	struct oisp_control *shared = control_here();
	struct oisp_identity identity = {};
	__u32 tgid, parent;
	bool is_root;

	if (!task || !shared)
		return 0;
	tgid = BPF_CORE_READ(task, tgid);
	if ((__u32)BPF_CORE_READ(task, pid) != tgid || bpf_map_lookup_elem(&watched, &tgid))
		return 0;
	parent = BPF_CORE_READ(task, real_parent, tgid);
	is_root = tgid == shared->target_tgid;
	if (!is_root && !bpf_map_lookup_elem(&watched, &parent))
		return 0;
	read_identity(task, &identity);
	if (!watch(tgid, &identity))
		return 0;
	add(shared->found, 1);
	if (!is_root || !shared->target_quiet)
		emit_program(task, OISP_KIND_PROCESS_FOUND, 1);
	return 0;
}

#endif
