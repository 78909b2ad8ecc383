/* hide_range.c - makes of this kernel one without IP_LOCAL_PORT_RANGE, for all processes from here on.
 *
 * Debian's 6.1 has the option all the same: the stable kernels took it over from 6.3. A program at the root of the cgroups
 * answers whoever sets or asks for it as the kernel answers for what it does not know, ENOPROTOOPT. No process can tell: a
 * seccomp filter, which could do it as well, is something that programs and the library look for. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define IP_LOCAL_PORT_RANGE 51

#define STEP(code_, to, from, offset, value)                                                                   \
	{ .code = (code_), .dst_reg = (to), .src_reg = (from), .off = (int16_t)(offset), .imm = (value) }
#define FIELD(name) offsetof(struct bpf_sockopt, name)

/* r1: the call. Answers 1, go on, with the caller's own memory whatever its length; or 0, and what it is to fail with. */
static const struct bpf_insn code[] = {
	STEP(BPF_LDX | BPF_MEM | BPF_W, BPF_REG_2, BPF_REG_1, FIELD(level), 0),
	STEP(BPF_JMP | BPF_JNE | BPF_K, BPF_REG_2, 0, 5, IPPROTO_IP),
	STEP(BPF_LDX | BPF_MEM | BPF_W, BPF_REG_2, BPF_REG_1, FIELD(optname), 0),
	STEP(BPF_JMP | BPF_JNE | BPF_K, BPF_REG_2, 0, 3, IP_LOCAL_PORT_RANGE),
	STEP(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_1, 0, 0, -ENOPROTOOPT),
	STEP(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_set_retval),
	STEP(BPF_JMP | BPF_JA, 0, 0, 4, 0),
	STEP(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_2, 0, 0, 0),
	STEP(BPF_STX | BPF_MEM | BPF_W, BPF_REG_1, BPF_REG_2, FIELD(optlen), 0),
	STEP(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 1),
	STEP(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
	STEP(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 0),
	STEP(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
};

static int bpf(int command, union bpf_attr *about)
{
	return (int)syscall(SYS_bpf, command, about, sizeof(*about));
}

static int answer(int cgroup, enum bpf_attach_type when)
{
	static char says[8192];
	union bpf_attr load = {
		.prog_type = BPF_PROG_TYPE_CGROUP_SOCKOPT, .expected_attach_type = when, .insns = (uintptr_t)code,
		.insn_cnt = sizeof(code) / sizeof(code[0]), .license = (uintptr_t) "MIT", .log_level = 1,
		.log_buf = (uintptr_t)says, .log_size = sizeof(says),
	};
	int program = bpf(BPF_PROG_LOAD, &load);
	union bpf_attr attach = { .target_fd = (uint32_t)cgroup, .attach_bpf_fd = (uint32_t)program, .attach_type = when };

	if (program < 0)
		fprintf(stderr, "%s", says);
	return program < 0 ? -1 : bpf(BPF_PROG_ATTACH, &attach);
}

int main(int argc, char **argv)
{
	int root = argc == 2 ? open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	if (root < 0 || answer(root, BPF_CGROUP_SETSOCKOPT) < 0 || answer(root, BPF_CGROUP_GETSOCKOPT) < 0) {
		fprintf(stderr, "hide_range: %s: %s\n", argc == 2 ? argv[1] : "which cgroup?", strerror(errno));
		return 1;
	}
	return 0;
}
