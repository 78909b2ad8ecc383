/* notify.c - a supervised program whose system calls are any: wrong descriptors, addresses that lead nowhere or to memory that changes
 * meanwhile, messages of any shape. The supervisor, which is this process, must neither crash nor hang, and answer each call. It is
 * serve.c's own loop, without its threads, so that is compiled in here. */
#include "tools/supervise/serve.c"

#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/world.h"
#include "tools/supervise/place.h"

#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif

enum { ROOM = 4096, CALLS = 24, SOCKETS = 8, PATIENCE_MS = 10000 };

/* Memory that both see: the program's addresses and messages lie in it, and the input that says which calls it makes. */
struct shared {
	unsigned char memory[ROOM]; /* what is behind it cannot be read */
};

static struct shared *shared;
static int start[2], done[2];
static pid_t program;

static bool sleeps_never(void)
{
	return false;
}

/* --- the program: no sanitizer and no libc in its calls ----------------------------------------------------------- */

static uint64_t address_of(struct bytes *bytes)
{
	uint64_t which = bytes_take(bytes, 1);

	if (which == 255)
		return bytes_take(bytes, 8);
	if (which >= 250)
		return 0;
	/* near the end of what can be read, now and then */
	return (uint64_t)(uintptr_t)shared->memory + (which >= 230 ? ROOM - which % 32 : bytes_take(bytes, 2) % ROOM);
}

static void call(struct bytes *bytes)
{
	static const int numbers[] = {
		SYS_connect, SYS_bind, SYS_listen, SYS_sendto, SYS_sendmsg, SYS_sendmmsg, SYS_getsockname, SYS_socket, SYS_connect, SYS_bind,
	};
	int number = numbers[bytes_take(bytes, 1) % (sizeof(numbers) / sizeof(numbers[0]))];
	long fd = 16 + (long)bytes_take(bytes, 1) % (SOCKETS + 1), length = (long)bytes_take(bytes, 1) % 160;
	long type = bytes_take(bytes, 1) & 1 ? SOCK_DGRAM : SOCK_STREAM;

	switch (number) {
	case SYS_socket:
		fd = syscall(SYS_socket, bytes_take(bytes, 1) & 1 ? AF_INET : AF_INET6, type | SOCK_NONBLOCK, 0);
		if (fd >= 0 && syscall(SYS_dup3, fd, 16 + (long)bytes_take(bytes, 1) % SOCKETS, 0) >= 0)
			syscall(SYS_close, fd);
		break;
	case SYS_listen:
		syscall(number, fd, length);
		break;
	case SYS_sendto:
		syscall(number, fd, shared->memory, 5L, (long)MSG_NOSIGNAL | MSG_DONTWAIT, address_of(bytes), length);
		break;
	case SYS_sendmsg:
		syscall(number, fd, address_of(bytes), (long)MSG_NOSIGNAL | MSG_DONTWAIT);
		break;
	case SYS_sendmmsg:
		syscall(number, fd, address_of(bytes), length % 4, (long)MSG_NOSIGNAL | MSG_DONTWAIT);
		break;
	case SYS_getsockname:
		syscall(number, fd, address_of(bytes), address_of(bytes));
		break;
	default:
		syscall(number, fd, address_of(bytes), length);
	}
}

static void sockets_make(void)
{
	for (int i = 0; i < SOCKETS; i++) {
		int fd = (int)syscall(SYS_socket, i & 2 ? AF_INET6 : AF_INET, (i & 1 ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK, 0);

		syscall(SYS_dup3, fd, 16 + i, 0);
		syscall(SYS_close, fd);
	}
}

/* An input, again and again; the memory is the input itself, so calls read what led to them. */
static void program_run(const struct filter_wants *wants)
{
	unsigned char size[2];
	int listener;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (filter_install(wants, &listener) != 0 || write(done[1], &listener, sizeof(listener)) != sizeof(listener))
		_exit(1);
	while (read(start[0], size, 2) == 2) {
		struct bytes bytes = { shared->memory, (size_t)size[0] << 8 | size[1] };

		sockets_make();
		for (int i = 0; i < CALLS && bytes.left; i++)
			call(&bytes);
		for (int i = 0; i < SOCKETS; i++)
			syscall(SYS_close, 16 + i);
		if (write(done[1], "", 1) != 1)
			_exit(0);
	}
	_exit(0);
}

/* --- the supervisor -------------------------------------------------------------------------------------------------- */

static void memory_make(void)
{
	char *at = mmap(NULL, 2 * ROOM, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	HOLDS(at != MAP_FAILED && mprotect(at + ROOM, ROOM, PROT_NONE) == 0);
	shared = (struct shared *)at;
}

static void supervise(void)
{
	struct seccomp_notif_sizes sizes = { 0 };
	int number, pidfd = (int)syscall(SYS_pidfd_open, program, 0);

	HOLDS(read(done[0], &number, sizeof(number)) == sizeof(number));
	carrier = (struct carrier){ .listener = (int)syscall(SYS_pidfd_getfd, pidfd, number, 0), .may_sleep = sleeps_never };
	HOLDS(carrier.listener >= 0);
	close(pidfd);
	syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes);
	notification_size = larger(sizes.seccomp_notif, sizeof(struct seccomp_notif));
	answer_size = larger(sizes.seccomp_notif_resp, sizeof(struct seccomp_notif_resp));
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct filter_wants wants;

	(void)argc, (void)argv;
	world_make();
	memory_make();
	HOLDS(pipe2(start, O_CLOEXEC) == 0 && pipe2(done, O_CLOEXEC) == 0);
	HOLDS(place_prepare());
	place_wants(&wants);
	program = fork();
	HOLDS(program >= 0);
	if (program == 0)
		program_run(&wants);
	supervise();
	return 0;
}

/* One notification. Memory that another thread of the program would change is changed here, between two of them. */
static void serve_one(struct seccomp_notif *notification, struct seccomp_notif_resp *to)
{
	struct verdict verdict = { .error = 0 };

	if (take(notification) != 0)
		return;
	carry(&carrier, notification, &verdict);
	if (!verdict.answered)
		answer(to, notification->id, &verdict);
	shared->memory[notification->id % ROOM] ^= (unsigned char)(1u << notification->id % 8);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seccomp_notif *notification = malloc(notification_size);
	struct seccomp_notif_resp *to = malloc(answer_size);
	struct pollfd fds[2] = { { .fd = carrier.listener, .events = POLLIN }, { .fd = done[0], .events = POLLIN } };
	char end;

	HOLDS(notification && to);
	if (size > ROOM)
		size = ROOM;
	memset(shared->memory, 0, ROOM);
	memcpy(shared->memory, data, size);
	HOLDS(write(start[1], (unsigned char[]){ (unsigned char)(size >> 8), (unsigned char)size }, 2) == 2);
	do {
		int ready = poll(fds, 2, PATIENCE_MS);

		if (ready < 0 && errno == EINTR) /* libFuzzer's own clock */
			continue;
		HOLDS(ready > 0);                  /* it hangs */
		HOLDS(!(fds[0].revents & POLLHUP)); /* it is gone */
		if (fds[0].revents & POLLIN)
			serve_one(notification, to);
	} while (!(fds[1].revents & POLLIN));
	HOLDS(read(done[0], &end, 1) == 1);
	world_hang_up();
	free(notification);
	free(to);
	return 0;
}
