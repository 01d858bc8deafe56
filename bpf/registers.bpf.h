/* SPDX-License-Identifier: GPL-2.0-only */
/* Registers by the numbers of struct oisp_argument, and system calls' arguments. */
#ifndef OISP_REGISTERS_BPF_H
#define OISP_REGISTERS_BPF_H

#if defined(__TARGET_ARCH_x86)

#define at(field) __builtin_offsetof(struct pt_regs, field)
static const volatile __u8 register_offsets[32] = {
	at(ax), at(cx), at(dx), at(bx), at(sp), at(bp), at(si), at(di),
	at(r8), at(r9), at(r10), at(r11), at(r12), at(r13), at(r14), at(r15),
};
#undef at

#define register_offset(number) register_offsets[(number) & 31]
/* The first four arguments of a function in the platform's calling convention, and its result. */
#define ORDINARY_1 7
#define ORDINARY_2 6
#define ORDINARY_3 2
#define ORDINARY_4 1
#define first_argument(regs) ((regs)->di)
#define second_argument(regs) ((regs)->si)
#define third_argument(regs) ((regs)->dx)
#define fourth_argument(regs) ((regs)->cx)
#define result(regs) ((regs)->ax)
#define instruction(regs) (((const struct pt_regs *)(regs))->ip)

#define system_call(regs) ((__s32)(regs)->orig_ax)
#define call_argument_1(regs) ((regs)->di)
#define call_argument_2(regs) ((regs)->si)
#define call_argument_3(regs) ((regs)->dx)
#define call_argument_4(regs) ((regs)->r10)
#define call_argument_5(regs) ((regs)->r8)
#define CALL_READ 0
#define CALL_WRITE 1
#define CALL_MMAP 9
#define CALL_READV 19
#define CALL_WRITEV 20
#define CALL_SENDTO 44
#define CALL_RECVFROM 45
#define CALL_SENDMSG 46
#define CALL_RECVMSG 47

#elif defined(__TARGET_ARCH_arm64)

#define register_offset(number) (((number) & 31) * 8)
#define ORDINARY_1 0
#define ORDINARY_2 1
#define ORDINARY_3 2
#define ORDINARY_4 3
#define first_argument(context) (((struct user_pt_regs *)(context))->regs[0])
#define second_argument(context) (((struct user_pt_regs *)(context))->regs[1])
#define third_argument(context) (((struct user_pt_regs *)(context))->regs[2])
#define fourth_argument(context) (((struct user_pt_regs *)(context))->regs[3])
#define result(context) (((struct user_pt_regs *)(context))->regs[0])
#define instruction(context) (((const struct user_pt_regs *)(context))->pc)

#define system_call(context) ((context)->syscallno)
#define call_argument_1(context) ((context)->orig_x0)
#define call_argument_2(context) ((context)->regs[1])
#define call_argument_3(context) ((context)->regs[2])
#define call_argument_4(context) ((context)->regs[3])
#define call_argument_5(context) ((context)->regs[4])
#define CALL_READ 63
#define CALL_WRITE 64
#define CALL_MMAP 222
#define CALL_READV 65
#define CALL_WRITEV 66
#define CALL_SENDTO 206
#define CALL_RECVFROM 207
#define CALL_SENDMSG 211
#define CALL_RECVMSG 212

#endif

static __always_inline __u64 read_register(const void *context, __u8 number)
{
	__u64 value = 0;

	bpf_probe_read_kernel(&value, sizeof(value), context + register_offset(number));
	return value;
}

/* A value known at the probed instruction; OISP_ARG_RETURN is none, and gives 0. */
static __always_inline __u64 read_argument(const void *context, const struct oisp_argument *argument)
{
	__u64 value;

	if (argument->kind != OISP_ARG_REGISTER && argument->kind != OISP_ARG_MEMORY &&
	    argument->kind != OISP_ARG_POINTER_REGISTER)
		return 0;
	value = read_register(context, argument->reg);
	if (argument->kind == OISP_ARG_MEMORY) {
		__u64 address = value + argument->offset;

		value = 0;
		bpf_probe_read_user(&value, sizeof(value), (void *)address);
		if (argument->then) {
			address = value + argument->then;
			value = 0;
			bpf_probe_read_user(&value, sizeof(value), (void *)address);
		}
	}
	return value;
}

/* Compared as one number: kind and register as given, no offset. */
static __always_inline bool is_register(const struct oisp_argument *argument, __u8 kind, __u8 number)
{
	return *(const __u64 *)argument == (kind | (__u64)number << 8);
}

#endif
