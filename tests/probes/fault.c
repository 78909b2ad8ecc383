/* fault.c - `fault ACT SCENE LO HI`: plays a scene, a call that is given a port (fault_scenes.h), again and again, each time in a child
 * of its own, and does something at one of the system calls that it makes (fault_trace.h).
 *
 * What is done: `fail`, the call fails, in each way that it can; `fail-for-good`, likewise, and again whenever it is made again;
 * `kill`, the child is killed before or behind it; `stop`, it is stopped there, while others get their ports, and then goes on;
 * `list`, nothing: the calls are printed. After each, what the child had, what it left and what the next calls get is looked at.
 * Prints how many cases there were, and the first that were wrong. */
#define _GNU_SOURCE
#include "storm.h"

#include <netinet/tcp.h>

#include "fault_scenes.h"
#include "fault_trace.h"
#include "tests/lib/tcp_list.h"

#define CALLS_MOST 4096
#define TOLD_MOST 60
#define DESCRIPTORS 64
#define MOVED_TRIES 5

/* What a child has come to; shared. */
struct seen {
	long own;               /* the descriptor of the scene */
	int result, error, port;
	int again, again_error, again_port;
	int descriptors;        /* that are open and were not */
	long pages;             /* of its memory, in the end */
	bool done;
};

static struct seen *seen;
static int messages;        /* the children's standard error */

/* What is to be done, at which call, and whether it was. */
static struct {
	unsigned int index; /* the how manieth of its number */
	bool behind;
	long number;      /* ALL_CALLS: at none, and each is seen */
	struct failing failing;
	const struct call_kind *kind;
	bool always;      /* whenever such a call is made again */
	unsigned int done;
	bool on_own;      /* it was the program's own call, too */
	void (*meanwhile)(void);
} todo;

/* --- the child ------------------------------------------------------------------------------------------------------- */

static uint64_t open_descriptors(void)
{
	uint64_t open = 0;

	for (int fd = 0; fd < DESCRIPTORS; fd++)
		if (syscall(SYS_fcntl, fd, F_GETFD) >= 0)
			open |= UINT64_C(1) << fd;
	return open;
}

static long pages_mapped(void)
{
	char bytes[64] = "";
	int fd = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/statm", O_RDONLY | O_CLOEXEC);

	RIGHT(read(fd, bytes, sizeof(bytes) - 1) > 0);
	syscall(SYS_close, fd);
	return atol(bytes);
}

/* The port that the kernel has for it, past the library. */
static int real_port(void)
{
	struct sockaddr_in6 name = { .sin6_port = 0 };
	socklen_t len = sizeof(name);

	return at_hand < 0 || syscall(SYS_getsockname, at_hand, &name, &len) < 0 ? 0 : ntohs(name.sin6_port);
}

/* Without faults. */
static void play_again(void)
{
	scene->open();
	errno = ERRNO_KEPT;
	seen->again = scene->play();
	seen->again_error = errno;
	seen->again_port = real_port();
	leave();
}

static void play_traced(void)
{
	uint64_t before;
	long pages = pages_mapped();

	if (!scene->first) {
		if (scene->warm)
			scene->warm();
		else
			play_again();
		if (scene->within)
			scene->within();
		scene->open();
	}
	seen->own = at_hand;
	before = open_descriptors();
	trace_begin(todo.number);
	if (scene->first)
		scene->open();
	seen->own = at_hand;
	if (at_hand >= 0)
		errno = ERRNO_KEPT;
	seen->result = at_hand < 0 ? -1 : scene->play();
	seen->error = errno;
	trace_end();
	seen->port = real_port();
	if (at_hand >= 0)
		before |= UINT64_C(1) << at_hand;
	seen->descriptors = __builtin_popcountll(open_descriptors() & ~before);
	leave();
	play_again();
	seen->pages = pages_mapped() - pages;
	seen->done = true;
	_exit(0);
}

/* --- cases ----------------------------------------------------------------------------------------------------------- */

static long number_of[CALLS_MOST];
static unsigned int occurrence_of[CALLS_MOST]; /* among those of its number */
static long argument[CALLS_MOST][2];

static bool is_due(const struct stop *stop)
{
	if (stop->number != todo.number)
		return false;
	return stop->index == todo.index || (todo.always && stop->index > todo.index);
}

/* The program's own: on its socket, but for what the library does with that. */
static bool is_own(long number, long fd)
{
	return fd == seen->own && fd >= 0 && (number == SYS_connect || number == SYS_sendto || number == SYS_sendmsg ||
	       number == SYS_listen || number == SYS_bind || number == SYS_getsockname);
}

static enum next fail_at(struct stop *stop)
{
	static bool is_left_out;

	if (!is_due(stop) || !todo.kind)
		return GO_ON;
	if (!stop->behind) {
		todo.done++;
		todo.on_own |= is_own(stop->number, (long)stop->regs.rdi) || stop->number == SYS_socket;
		is_left_out = todo.failing.manner == NOT_AT_ALL;
		if (is_left_out)
			leave_out(stop);
		else if (todo.failing.manner != MADE)
			cut_short(stop, todo.failing.manner, todo.kind->size_argument);
	} else if (todo.failing.error) {
		set_result(stop, -todo.failing.error);
	}
	return GO_ON;
}

static enum next note_at(struct stop *stop)
{
	if (stop->index < CALLS_MOST && !stop->behind) {
		number_of[stop->index] = stop->number;
		occurrence_of[stop->index] = 0;
		for (unsigned int i = 0; i < stop->index; i++)
			occurrence_of[stop->index] += number_of[i] == stop->number;
		argument[stop->index][0] = (long)stop->regs.rdi;
		argument[stop->index][1] = (long)stop->regs.rsi;
	}
	return GO_ON;
}

static enum next kill_at(struct stop *stop)
{
	if (stop->number != todo.number || stop->index != todo.index || stop->behind != todo.behind)
		return GO_ON;
	todo.done++;
	return END_HERE;
}

static enum next stop_at(struct stop *stop)
{
	if (stop->number == todo.number && stop->index == todo.index && stop->behind == todo.behind) {
		todo.done++;
		todo.meanwhile();
	}
	return GO_ON;
}

/* --- telling --------------------------------------------------------------------------------------------------------- */

static int cases, right, refused, passed, wrong, moved, left_outside;
static char said[16384];

static void read_messages(void)
{
	ssize_t length = pread(messages, said, sizeof(said) - 1, 0);

	said[length > 0 ? length : 0] = '\0';
}

static const char *words_of(const struct failing *failing)
{
	if (failing->error)
		return strerrorname_np(failing->error);
	return failing->manner == SHORT_ONE ? "one byte" : failing->manner == SHORT_HALF ? "half" : "-";
}

static const char *name_of_result(int result, int error)
{
	const char *name = result < 0 ? strerrorname_np(error) : "0";

	return name ? name : "?";
}

static void tell(const char *how, const char *what, int status)
{
	if (wrong > TOLD_MOST && !getenv("FAULT_TELL"))
		return;
	printf("%s: %s: call %u, %s%s %s%s%s: ", how, scene->name, todo.index, todo.kind ? todo.kind->name : "?",
	       todo.behind ? " behind" : "", words_of(&todo.failing), todo.always ? " always" : "", todo.on_own ? " own" : "");
	printf("status 0x%x, %s, port %d, again %s, port %d, descriptors %d, pages %ld%s%s\n", (unsigned int)status,
	       name_of_result(seen->result, seen->error), seen->port, name_of_result(seen->again, seen->again_error), seen->again_port,
	       seen->descriptors, seen->pages, what, said);
}

static bool is_in_pool(int port)
{
	return port >= pool_lo && port <= pool_hi;
}

/* Nothing of a case stays in the table but what the kernel refused. */
static int left_in_table(void)
{
	struct table *table = map_table();
	int left = 0;

	for (uint32_t block = 0; table && block < TABLE_BLOCKS; block++) {
		uint64_t busy = atomic_load(&table->busy[block]);

		for (uint32_t place = 0; busy && place < BLOCK_PORTS; place++)
			if (busy >> place & 1) {
				uint64_t word = atomic_load(&table_cells(table, block)[place].word);

				left += word >> 62 != 3; /* CELL_TAKEN */
			}
	}
	if (table)
		munmap(table, sizeof(*table));
	return left;
}

/* --- rounds ---------------------------------------------------------------------------------------------------------- */

static int run_child(enum next (*at)(struct stop *stop), int *status)
{
	pid_t pid;

	memset(seen, 0, sizeof(*seen));
	seen->own = -1;
	todo.done = 0;
	todo.on_own = false;
	if (scene->before)
		scene->before();
	RIGHT(ftruncate(messages, 0) == 0 && lseek(messages, 0, SEEK_SET) == 0);
	pid = fork();
	if (pid == 0)
		play_traced();
	return trace(pid, at, status);
}

static long usual_pages;
static int usual_left;

/* Whether the policy was being read, for want of memory or of a descriptor in vain: such calls are refused, and tried again. */
static bool reads_policy(void)
{
	long number = todo.number;

	return (scene->first || scene->within) &&
	       (number == SYS_mmap || number == SYS_openat || number == SYS_read || number == SYS_newfstatat);
}

/* Or what a socket is that the library has not seen made. */
static bool is_about_unseen(void)
{
	return scene->open == open_unseen && todo.number == SYS_getsockopt;
}

/* An errno that says what was the matter: the kernel's own, "used up", or "may not be". */
static bool is_fitting(int error)
{
	return error == todo.failing.error || error == scene->used_up ||
	       (error == EADDRINUSE && scene->play == play_bind_connect) || (error == EPERM && (reads_policy() || is_about_unseen()));
}

/* What the program sees is what it sees without a fault, or a failure that it is told of. */
static void judge_case(int calls, int status)
{
	bool ended = calls >= 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0 && seen->done;
	bool broken = strstr(said, "all calls pass as if portshim were absent") != NULL;
	bool had = seen->result == 0, in_pool = is_in_pool(seen->port);
	const char *what = NULL;

	cases++;
	left_outside += had && seen->port && !in_pool;
	left_outside += seen->again == 0 && seen->again_port && !is_in_pool(seen->again_port);
	if (!ended)
		what = " DID NOT END";
	else if (had && !in_pool && !broken && (seen->port || scene->play != play_name)) /* which shows that there is none */
		what = " OUTSIDE";
	else if (had && seen->error != ERRNO_KEPT)
		what = " ERRNO CHANGED";
	else if (!had && !is_fitting(seen->error) && !broken)
		what = " ERRNO";
	else if (!had && seen->port && !in_pool && !broken)
		what = " PORT OUTSIDE BEHIND A FAILURE";
	else if (!broken && (seen->again != 0 || !is_in_pool(seen->again_port)) && !holder)
		what = " NOT WELL AGAIN";
	else if (seen->descriptors)
		what = " DESCRIPTORS";
	else if (seen->pages > usual_pages && todo.number != SYS_munmap)
		what = " MAPPINGS";
	else if (left_in_table() > usual_left)
		what = " LEFT IN THE TABLE";
	if (what) {
		wrong++;
		tell("wrong", what, status);
		return;
	}
	if (had && in_pool)
		right++;
	else if (had)
		passed++;
	else
		refused++;
	if (getenv("FAULT_TELL") && !(had && in_pool))
		tell("other", "", status);
}

static void play_case(enum next (*at)(struct stop *stop))
{
	int status = 0, calls = 0;

	for (int i = 0; i < MOVED_TRIES; i++) {
		calls = run_child(at, &status);
		if (todo.done || calls < 0)
			break;
	}
	read_messages();
	if (!todo.done && calls >= 0)
		moved++;
	else
		judge_case(calls, status);
}

/* Without a fault: which calls there are, and what is usual. */
static int play_bare(void)
{
	int status = 0, calls;

	todo.number = ALL_CALLS;
	calls = run_child(note_at, &status);
	read_messages();
	usual_pages = seen->pages;
	usual_left = left_in_table();
	if (calls < 0 || !seen->done || strstr(said, "policy:")) {
		tell("wrong", " WITHOUT A FAULT", status);
		exit(1);
	}
	return calls < CALLS_MOST ? calls : CALLS_MOST;
}

static void play_failing(int calls, bool for_good)
{
	for (int i = 0; i < calls; i++) {
		todo.index = occurrence_of[i];
		todo.number = number_of[i];
		todo.kind = kind_of(todo.number);
		if (!todo.kind)
			continue;
		for (int n = 0; failing_of(todo.kind, n, &todo.failing); n++)
			/* Whom a signal interrupts ever again is lost. */
			for (int always = 0; always <= (for_good && todo.failing.error != EINTR); always++) {
				todo.always = always;
				play_case(fail_at);
			}
	}
}

/* --- others, meanwhile and afterwards --- */

static long longest; /* ms */

static long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* A process that knows of nothing gets all ports, or all but so many. */
static void others_fill(int missing)
{
	int status = -1, ports = pool_hi - pool_lo + 1 - missing, before = storm->wrong;
	long begin = now_ms();
	pid_t pid;

	if (missing == 0)
		forget_sweeps();
	pid = fork();
	if (pid == 0) {
		at_hand = -1;
		_exit(fill(SOCK_STREAM) < ports || fill(SOCK_DGRAM) < ports || storm->wrong != before);
	}
	wait_a_while(pid, &status);
	if (now_ms() - begin > longest)
		longest = now_ms() - begin;
	if (status != 0) {
		wrong++;
		tell("wrong", missing ? " OTHERS MEANWHILE" : " OTHERS AFTERWARDS", status);
	}
}

static void others_meanwhile(void)
{
	others_fill(1);
}

/* How many TCP sockets of a list have a port of the pool, not counting TIME_WAIT. */
static int in_use_of(const char *path)
{
	FILE *table = fopen(path, "re");
	struct tcp_entry entry;
	int n = 0;

	while (table && tcp_next(table, &entry))
		n += entry.state != TCP_TIME_WAIT && is_in_pool((int)entry.local);
	if (table)
		fclose(table);
	return n;
}

static int in_use(void)
{
	return in_use_of("/proc/self/net/tcp") + in_use_of("/proc/self/net/tcp6");
}

/* The connection of who was killed is the kernel's until its server has heard of that: then there are as many as before. */
static void await_close(int before)
{
	int left = 30000;

	for (; left > 0 && in_use() > before; left--)
		usleep(1000);
	if (left == 0) {
		wrong++;
		tell("wrong", " NOT CLOSED", 0);
	}
}

static void play_killed(int calls)
{
	int before = in_use();

	for (int i = 0; i < calls; i++)
		for (int behind = 0; behind < 2; behind++) {
			int status = 0;

			todo.index = occurrence_of[i];
			todo.number = number_of[i];
			todo.kind = kind_of(todo.number);
			todo.behind = behind;
			for (int n = 0; n < MOVED_TRIES && !todo.done; n++)
				run_child(kill_at, &status);
			if (!todo.done) {
				moved++;
				continue;
			}
			todo.done = 0;
			cases++;
			if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) {
				wrong++;
				tell("wrong", " NOT KILLED", status);
			}
			await_close(before);
			others_fill(0);
		}
}

static void play_stopped(int calls)
{
	todo.meanwhile = others_meanwhile;
	for (int i = 0; i < calls; i++)
		for (int behind = 0; behind < 2; behind++) {
			todo.index = occurrence_of[i];
			todo.number = number_of[i];
			todo.kind = kind_of(todo.number);
			todo.behind = behind;
			play_case(stop_at);
		}
}

static void list(int calls)
{
	for (int i = 0; i < calls; i++) {
		const struct call_kind *kind = kind_of(number_of[i]);

		printf("call %d %ld %s(%ld, 0x%lx)\n", i, number_of[i], kind ? kind->name : "?", argument[i][0], argument[i][1]);
	}
}

/* The messages are a file of ours: the library keeps to the descriptor that was there at the start. */
static void keep_messages(char **argv)
{
	if (getenv("FAULT_MESSAGES")) {
		messages = 2;
		return;
	}
	dup2(memfd_create("messages", 0), 2);
	setenv("FAULT_MESSAGES", "2", 1);
	execv("/proc/self/exe", argv);
}

int main(int argc, char **argv)
{
	int calls;

	if (argc != 5)
		return 2;
	keep_messages(argv);
	setvbuf(stdout, NULL, _IOLBF, 0);
	scene = scene_called(argv[2]);
	storm_begin(argv[3], argv[4]);
	seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (scene->once)
		scene->once();
	if (!scene->before) { /* the table is there */
		todo.number = ALL_CALLS;
		run_child(note_at, &(int){ 0 });
	}
	calls = play_bare();
	if (strcmp(argv[1], "list") == 0)
		list(calls);
	else if (strncmp(argv[1], "fail", 4) == 0)
		play_failing(calls, strcmp(argv[1], "fail-for-good") == 0);
	else if (strcmp(argv[1], "kill") == 0)
		play_killed(calls);
	else if (strcmp(argv[1], "stop") == 0)
		play_stopped(calls);
	else
		return 2;
	let_go();
	forget_sweeps();
	printf("calls stopped at %d\ncases %d\nas usual %d\nrefused %d\npassed %d\nmoved %d\n", calls, cases, right, refused, passed, moved);
	printf("left outside %d\nnot as it must be %d\nlongest %ld\n", left_outside, wrong, longest);
	storm_tell();
	printf("tcp again %d\n", fill(SOCK_STREAM));
	printf("udp again %d\n", fill(SOCK_DGRAM));
	printf("wrong at last %d\n", storm->wrong);
	return 0;
}
