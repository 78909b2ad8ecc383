/* storm_rain.c - `storm_rain SIGNALS LO HI`: connects, binds, sends, copies and closes while two signals come in, SIGNALS times
 * each: a queued one from another process, in whose handler the next may come (three deep), and SIGALRM from a timer, handled on
 * the smallest of stacks. Both handlers make calls of their own. Prints what was wrong, and how many ports can be had in the
 * end. */
#define _GNU_SOURCE
#include "storm.h"

#include <sched.h>
#include <sys/auxv.h>
#include <sys/time.h>

#define DEEPEST 3
#define PAGE 4096
/* What the library promises to take at most, and this program's own frames in the handler. */
#define LIBRARY_STACK 2048
#define OWN_STACK 512
#define PAUSE_US 150

static struct {
	_Atomic int sent, heard, deepest, alarms;
} *rain;

static int signals;
static volatile sig_atomic_t depth;

static void on_queued(int signal)
{
	int saved = errno;

	(void)signal;
	rain->heard++;
	if (++depth > rain->deepest)
		rain->deepest = depth;
	if (depth <= DEEPEST)
		talk((unsigned int)rain->heard);
	depth--;
	errno = saved;
}

static void set_timer(void)
{
	struct itimerval once = { .it_value.tv_usec = PAUSE_US };

	setitimer(ITIMER_REAL, &once, NULL);
}

static void on_alarm(int signal)
{
	int saved = errno;

	(void)signal;
	talk((unsigned int)rain->alarms);
	if (++rain->alarms < signals)
		set_timer();
	errno = saved;
}

/* As small as it may be, with a page below that cannot be written to. */
static void make_stack(void)
{
	size_t size = getauxval(AT_MINSIGSTKSZ) + LIBRARY_STACK + OWN_STACK, room = (size + PAGE - 1) / PAGE * PAGE;
	unsigned char *at = mmap(NULL, PAGE + room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	stack_t alternate = { .ss_sp = at + PAGE, .ss_size = size };

	RIGHT(mprotect(at, PAGE, PROT_NONE) == 0 && sigaltstack(&alternate, NULL) == 0);
}

static void handle(int signal, void (*handler)(int), int flags)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = SA_RESTART | flags };

	if (flags & SA_ONSTACK)
		sigfillset(&action.sa_mask); /* one at a time has room there */
	RIGHT(sigaction(signal, &action, NULL) == 0);
}

/* Two are under way at most: the first may be in its handler, the next comes there. */
static pid_t send_signals(void)
{
	pid_t to = getpid(), pid = fork();

	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (rain->sent < signals) {
		if (rain->sent - rain->heard < 2 && sigqueue(to, SIGRTMIN, (union sigval){ .sival_int = 0 }) == 0)
			rain->sent++;
		else
			sched_yield();
	}
	_exit(0);
}

/* Results are the calls' own, and errno is untouched where they succeed, whatever came in between. */
static void main_flow(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), copy, result;

	errno = ERRNO_KEPT;
	result = connect_to(fd, TCP_PORT);
	RIGHT(result == 0 && errno == ERRNO_KEPT && in_pool(fd));
	copy = dup(fd);
	end_by_reset(copy);
	result = close(fd);
	RIGHT(result == 0 && errno == ERRNO_KEPT && in_pool(copy));
	reset(copy);
	for (unsigned int which = 1; which < 6; which++)
		talk(which);
}

int main(int argc, char **argv)
{
	int status = -1;
	pid_t sender;

	if (argc != 4)
		return 2;
	signals = atoi(argv[1]);
	storm_begin(argv[2], argv[3]);
	rain = mmap(NULL, sizeof(*rain), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	make_stack();
	handle(SIGRTMIN, on_queued, SA_NODEFER);
	handle(SIGALRM, on_alarm, SA_ONSTACK);
	sender = send_signals();
	set_timer();
	while (rain->sent < signals || rain->alarms < signals)
		main_flow();
	RIGHT(waitpid(sender, &status, 0) == sender && status == 0);
	printf("heard %d\nalarms %d\ndeepest %d\n", rain->heard, rain->alarms, rain->deepest);
	storm_tell();
	printf("tcp again %d\n", fill(SOCK_STREAM));
	printf("udp again %d\n", fill(SOCK_DGRAM));
	printf("wrong at last %d\n", storm->wrong);
	return 0;
}
