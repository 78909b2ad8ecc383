/* ring.c - programs that ask for a ring. */
#define _GNU_SOURCE
#include "tools/supervise/ring.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shim/log.h"
#include "tools/supervise/maker.h"

/* What headers may lack: the numbers are the kernel's promise. */
#ifndef IORING_SETUP_SUBMIT_ALL
#define IORING_SETUP_SUBMIT_ALL (1U << 7) /* Linux 5.18 */
#endif
#ifndef IORING_SETUP_COOP_TASKRUN
#define IORING_SETUP_COOP_TASKRUN (1U << 8) /* Linux 5.19, and the following */
#define IORING_SETUP_TASKRUN_FLAG (1U << 9)
#define IORING_SETUP_SQE128 (1U << 10)
#define IORING_SETUP_CQE32 (1U << 11)
#endif
#define OP_SOCKET 45              /* Linux 5.19 */
#define OP_BIND 56                /* Linux 6.11 */
#define OP_LISTEN 57
#define SETUP_NO_SQARRAY (1U << 16) /* Linux 6.6 */

/* Flags of rings that are the same whoever has made them. */
#define FLAGS_TAKEN \
	(IORING_SETUP_IOPOLL | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP | IORING_SETUP_SUBMIT_ALL | \
	 IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SQE128 | IORING_SETUP_CQE32 | \
	 SETUP_NO_SQARRAY)

#define OPS 256       /* of requests: a byte */
#define REGISTERS 128 /* of io_uring_register(2), more than there are */

/* --- none ---------------------------------------------------------------------------------------------------------------- */

static int refuse(struct client *client)
{
	char words[256];
	struct text text = TEXT_OVER(words);

	if (log_wants(LOG_LEVEL_WARNING) && client_is_told(client, TOLD_NO_RING)) {
		log_begin(&text);
		text_add(&text, "io_uring is kept from it (ENOSYS): what is done that way would not be seen here");
		log_send(LOG_LEVEL_WARNING, &text);
	}
	return -ENOSYS;
}

/* What the supervisor may have, and the program perhaps not. */
static bool rings_need_rights(void)
{
	char level = '0';
	int fd = open("/proc/sys/kernel/io_uring_disabled", O_RDONLY | O_CLOEXEC); /* Linux 6.6 */

	if (fd >= 0) {
		if (read(fd, &level, 1) != 1)
			level = '2';
		close(fd);
	}
	return level != '0';
}

/* --- in the process that makes it ------------------------------------------------------------------------------------------ */

struct making {
	uint32_t entries;
	struct io_uring_params *params; /* shared with the supervisor */
};

static long ring_register(int fd, unsigned int what, void *with, unsigned int count)
{
	return syscall(SYS_io_uring_register, fd, what, with, count);
}

/* The operations that this kernel has. */
static unsigned int ops_of(int fd)
{
	union {
		struct io_uring_probe head;
		char room[sizeof(struct io_uring_probe) + OPS * sizeof(struct io_uring_probe_op)];
	} probe;

	memset(&probe, 0, sizeof(probe));
	return ring_register(fd, IORING_REGISTER_PROBE, &probe, OPS) < 0 ? 0 : probe.head.last_op + 1U;
}

static unsigned int allow_ops(struct io_uring_restriction *list, unsigned int ops)
{
	unsigned int n = 0;

	for (unsigned int op = 0; op < ops; op++) {
		if (op == OP_SOCKET || op == OP_BIND || op == OP_LISTEN)
			continue;
		list[n].opcode = IORING_RESTRICTION_SQE_OP;
		list[n++].sqe_op = (uint8_t)op;
	}
	list[n].opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED;
	list[n++].sqe_flags = UINT8_MAX;
	return n;
}

/* Allows all but three operations. How many kinds of registrations this kernel has is found by trying: it takes no list with
 * one that it does not know. */
static int restrict_ops(int fd)
{
	struct io_uring_restriction list[OPS + 1 + REGISTERS];
	unsigned int n;

	memset(list, 0, sizeof(list));
	n = allow_ops(list, ops_of(fd));
	for (unsigned int i = 0; i < REGISTERS; i++) {
		list[n + i].opcode = IORING_RESTRICTION_REGISTER_OP;
		list[n + i].register_op = (uint8_t)i;
	}
	for (unsigned int i = REGISTERS; i > IORING_REGISTER_ENABLE_RINGS; i--)
		if (ring_register(fd, IORING_REGISTER_RESTRICTIONS, list, n + i) == 0)
			return 0;
	return -EINVAL;
}

static int make(const void *context)
{
	const struct making *making = context;
	uint32_t flags = making->params->flags;
	int fd, error;

	making->params->flags |= IORING_SETUP_R_DISABLED;
	fd = (int)syscall(SYS_io_uring_setup, making->entries, making->params);
	if (fd < 0)
		return -errno;
	making->params->flags = flags;
	error = restrict_ops(fd);
	if (!error && ring_register(fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0) < 0)
		error = -errno;
	return error ? error : fd;
}

/* --- in the supervisor ---------------------------------------------------------------------------------------------------- */

static bool still_waits(const struct ring *ring)
{
	uint64_t id = ring->id;

	return ioctl(ring->listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
}

/* The memory is opened before it is known to be still the caller's. */
static int write_params(const struct ring *ring, struct client *client, const struct io_uring_params *params)
{
	int mem = client_memory(client), error = mem < 0 ? mem : 0;

	if (!error && !still_waits(ring))
		error = -ESRCH;
	if (!error && pwrite(mem, params, sizeof(*params), (off_t)ring->params) != (ssize_t)sizeof(*params))
		error = -EFAULT;
	if (mem >= 0)
		close(mem);
	return error;
}

static int make_for(const struct ring *ring, struct client *client, struct io_uring_params *params, struct verdict *verdict)
{
	const struct making making = { ring->entries, params };
	int error, fd;

	if (params->flags & ~FLAGS_TAKEN)
		return -EINVAL;
	fd = maker_apart(client, make, &making);
	if (fd == -EUSERS)
		return refuse(client);
	if (fd < 0)
		return fd;
	error = write_params(ring, client, params);
	if (!error)
		error = birth_hand_over(ring->listener, ring->id, fd, O_CLOEXEC, verdict);
	close(fd);
	return error;
}

int ring_carry(const struct ring *ring, struct client *client, struct verdict *verdict)
{
	struct io_uring_params *params;
	int error;

	if (!birth_is_in_force() || ring->is_32_bit || client_is_labelled(client) || rings_need_rights())
		return refuse(client);
	params = mmap(NULL, sizeof(*params), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (params == MAP_FAILED)
		return -ENOMEM;
	error = client_read(client, ring->params, params, sizeof(*params));
	if (!error)
		error = make_for(ring, client, params, verdict);
	munmap(params, sizeof(*params));
	return error;
}
