/* storm_stack.c - `storm_stack first|later LO HI`: how much stack each hooked call takes. The calls are made in a signal handler on
 * an alternate stack that was filled with a pattern before; `first`: each in a process that has made none; `later`: when the
 * process has made all of them. Prints "CALL BYTES", without what a handler takes that makes no call. */
#define _GNU_SOURCE
#include "storm.h"

#include <sys/auxv.h>

#define STACK_SIZE (256 << 10)
#define PATTERN 0x5a

static unsigned char *stack;
static void (*at_hand)(void);

static void nothing(void)
{
}

static int used(int type)
{
	return socket(AF_INET, type | SOCK_CLOEXEC, 0);
}

static void stack_socket(void)
{
	close(used(SOCK_STREAM));
}

static void stack_connect(void)
{
	int fd = used(SOCK_STREAM);

	RIGHT(connect_to(fd, TCP_PORT) == 0);
	reset(fd);
}

static void stack_sendto(void)
{
	talk_udp(0);
}

static void stack_sendmsg(void)
{
	talk_udp(1);
}

static void stack_sendmmsg(void)
{
	talk_udp(2);
}

static void stack_bind(void)
{
	talk_bind(SOCK_DGRAM);
}

/* All ports but none are in use: every one is tried, the table swept, the call refused. */
static void stack_used_up(void)
{
	RIGHT(fill(SOCK_STREAM) == pool_hi - pool_lo + 1);
}

static const struct {
	const char *name;
	void (*call)(void);
} calls[] = {
	{ "socket", stack_socket }, { "connect", stack_connect }, { "sendto", stack_sendto }, { "sendmsg", stack_sendmsg },
	{ "sendmmsg", stack_sendmmsg }, { "bind", stack_bind }, { "used-up", stack_used_up },
};

#define CALLS (sizeof(calls) / sizeof(calls[0]))

static void on_signal(int signal)
{
	(void)signal;
	at_hand();
}

/* The stack grows down: what it touched lies at its upper end. */
static size_t bytes_of(void (*call)(void))
{
	size_t untouched = 0;

	memset(stack, PATTERN, STACK_SIZE);
	at_hand = call;
	raise(SIGUSR1);
	while (untouched < STACK_SIZE && stack[untouched] == PATTERN)
		untouched++;
	return STACK_SIZE - untouched;
}

static void measure(size_t i)
{
	size_t bare = bytes_of(nothing), all = bytes_of(calls[i].call);

	printf("%s %zd\n", calls[i].name, (ssize_t)(all - bare));
	fflush(stdout);
}

static void measure_first(size_t i)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		measure(i);
		_exit(0);
	}
	RIGHT(waitpid(pid, &status, 0) == pid && status == 0);
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_ONSTACK };
	stack_t alternate = { .ss_size = STACK_SIZE };
	bool first;

	if (argc != 4)
		return 2;
	first = strcmp(argv[1], "first") == 0;
	storm_begin(argv[2], argv[3]);
	alternate.ss_sp = stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	RIGHT(sigaltstack(&alternate, NULL) == 0 && sigaction(SIGUSR1, &action, NULL) == 0);
	printf("smallest %lu\nhandler %zu\n", getauxval(AT_MINSIGSTKSZ), bytes_of(nothing));
	for (size_t i = 0; !first && i < CALLS; i++)
		bytes_of(calls[i].call);
	for (size_t i = 0; i < CALLS; i++)
		first ? measure_first(i) : measure(i);
	storm_tell();
	return 0;
}
