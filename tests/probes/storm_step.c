/* storm_step.c - `storm_step SCENE ACT STRIDE LO HI`: plays a scene again and again, and does something behind every
 * STRIDEth of its instructions, with another offset each time; or with -STRIDE only before and behind its turns: system
 * calls and locked instructions, which are nearly all that others can see.
 *
 * What is done: `talk` in a handler that returns; `nest`, the same and again within it; `fork` a child that talks; `split`, a
 * child that goes on with the interrupted call, as the parent does after it; `jump` out of the handler; `kill` a child that
 * plays the scene; `stop` such a child, and let it go on when others have had their ports; `orphan`, a child that goes on, and the
 * parent killed. Prints how many points there were, what was wrong, and how many ports can be had at once in the end. */
#define _GNU_SOURCE
#include "storm.h"

#include <setjmp.h>

enum act { TALK, NEST, FORK, SPLIT, JUMP, KILL, STOP, ORPHAN };

static enum act act;
static bool turns;
static unsigned int stride;

/* Of a round: the number of its points so far, of those that count, and which is to be acted at. */
static unsigned int points, counted, target;
static bool was_turn, once;
static unsigned int acted;
static int depth;

static sigjmp_buf way_out;
static int at_hand = -1; /* the socket of the scene */
static bool is_copy;     /* split: this is the child that goes on */

/* --- what is done at a point --- */

static void wait_for(pid_t pid)
{
	int status = -1;

	RIGHT(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void do_fork(void)
{
	int before = storm->wrong;
	pid_t pid = fork();

	if (pid == 0) {
		talk(acted);
		_exit(storm->wrong != before);
	}
	wait_for(pid);
}

static void do_split(ucontext_t *context)
{
	pid_t pid = fork();

	if (pid == 0) {
		is_copy = true;
		steps_stop(context);
		return;
	}
	wait_for(pid);
}

/* The child has all that its parent had in hand. */
static void do_orphan(ucontext_t *context)
{
	if (fork() != 0)
		kill(getpid(), SIGKILL);
	is_copy = true;
	steps_stop(context);
}

static void do_nest(void)
{
	if (++depth == 1) {
		steps_begin();
		talk(acted);
		steps_end();
	} else {
		talk(acted);
	}
	depth--;
}

static void do_act(ucontext_t *context)
{
	acted++;
	switch (act) {
	case TALK:
		talk(once ? 0 : acted);
		if (once)
			steps_stop(context);
		break;
	case NEST:
		do_nest();
		break;
	case FORK:
		do_fork();
		break;
	case SPLIT:
		do_split(context);
		break;
	case JUMP:
		siglongjmp(way_out, 1);
	case KILL:
		kill(getpid(), SIGKILL);
		break;
	case STOP:
		kill(getpid(), SIGSTOP);
		steps_stop(context);
		break;
	case ORPHAN:
		do_orphan(context);
		break;
	}
}

/* Before a turn, and behind it. */
static bool counts(ucontext_t *context)
{
	bool turn = at_a_turn(context), counted_now = !turns || turn || was_turn;

	was_turn = turn;
	return counted_now;
}

/* Within a talk of `nest` every 101st instruction is enough. */
static bool is_due(ucontext_t *context)
{
	static unsigned int inner;

	if (in_kernels_code(context) && !at_a_turn(context))
		return false;
	if (depth > 0)
		return ++inner % 101 == 0;
	points++;
	if (!counts(context))
		return false;
	counted++;
	if (once)
		return counted - 1 == target;
	return (counted - 1) % stride == target;
}

static void on_step(int signal, siginfo_t *info, void *context)
{
	int saved = errno;

	(void)signal;
	(void)info;
	if (is_due(context))
		do_act(context);
	errno = saved;
}

/* --- scenes: a call, interrupted; what it did is looked at afterwards --- */

/* However it ends, nothing of it stays in TIME_WAIT. */
static int a_socket(int type)
{
	at_hand = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	end_by_reset(at_hand);
	return at_hand;
}

static void leave(int fd)
{
	at_hand = -1;
	reset(fd);
}

/* Who comes second to a socket that two connect finds it connected. */
static bool is_had(int result)
{
	return (result == 0 && errno == ERRNO_KEPT) || (act == SPLIT && !is_copy && result < 0 && errno == EISCONN);
}

static void play_connect(void)
{
	int fd = a_socket(SOCK_STREAM), result;

	errno = ERRNO_KEPT;
	steps_begin();
	result = connect_to(fd, TCP_PORT);
	steps_end();
	RIGHT(is_had(result));
	RIGHT(in_pool(fd));
	leave(fd);
}

static void play_send(void)
{
	int fd = a_socket(SOCK_DGRAM);
	ssize_t result;

	errno = ERRNO_KEPT;
	steps_begin();
	result = send_to(fd, UDP_PORT);
	steps_end();
	RIGHT(result == 1 && errno == ERRNO_KEPT);
	RIGHT(in_pool(fd));
	leave(fd);
}

/* A rule with `to` puts the bind off; the port comes with connect(). */
static void play_bind_connect(void)
{
	int fd = a_socket(SOCK_STREAM), bound, result;

	errno = ERRNO_KEPT;
	steps_begin();
	bound = bind_to(fd, 0);
	result = connect_to(fd, TCP_PORT);
	steps_end();
	RIGHT((bound == 0 || (act == SPLIT && errno == EISCONN)) && is_had(result));
	RIGHT(in_pool(fd));
	leave(fd);
}

static void play_listen(void)
{
	int fd = a_socket(SOCK_STREAM), result;

	errno = ERRNO_KEPT;
	steps_begin();
	result = listen(fd, 1);
	steps_end();
	RIGHT(result == 0 && errno == ERRNO_KEPT);
	RIGHT(in_pool(fd));
	leave(fd);
}

static void play_close(void)
{
	int fd = a_socket(SOCK_STREAM), result;

	RIGHT(connect_to(fd, TCP_PORT) == 0 && in_pool(fd));
	errno = ERRNO_KEPT;
	steps_begin();
	result = close(fd);
	steps_end();
	at_hand = -1;
	RIGHT(result == 0 && errno == ERRNO_KEPT);
}

static void play_dup(void)
{
	int fd = a_socket(SOCK_STREAM), copy, closed;

	RIGHT(connect_to(fd, TCP_PORT) == 0 && in_pool(fd));
	errno = ERRNO_KEPT;
	steps_begin();
	copy = dup(fd);
	closed = close(fd);
	steps_end();
	RIGHT(copy >= 0 && closed == 0 && errno == ERRNO_KEPT);
	RIGHT(in_pool(copy));
	leave(copy);
}

/* The first calls of a process: the policy is read, the kernel's settings, and where it was removed the table is made anew. */
static void play_first(void)
{
	int fd, result;

	errno = ERRNO_KEPT;
	steps_begin();
	fd = a_socket(SOCK_STREAM);
	result = connect_to(fd, TCP_PORT);
	steps_end();
	RIGHT(result == 0 && errno == ERRNO_KEPT);
	RIGHT(in_pool(fd));
	leave(fd);
}

/* All ports are held in the table by connections whose end nobody saw: the connect finds none, and has to sweep. */
static void end_unseen(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		for (int i = pool_lo; i <= pool_hi; i++) {
			int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

			RIGHT(connect_to(fd, TCP_PORT) == 0);
			end_by_reset(fd);
		}
		_exit(0);
	}
	wait_for(pid);
}

static const struct scene {
	const char *name;
	void (*play)(void);
	void (*before)(void);
	enum { ANEW, BY_ACT, BY_PROCESS } once; /* in a round: at each point; until something was done; in a process */
} scenes[] = {
	{ "connect", play_connect, NULL, ANEW },
	{ "send", play_send, NULL, ANEW },
	{ "bind-connect", play_bind_connect, NULL, ANEW },
	{ "listen", play_listen, NULL, ANEW },
	{ "close", play_close, NULL, ANEW },
	{ "dup", play_dup, NULL, ANEW },
	{ "sweep", play_connect, end_unseen, BY_ACT },
	{ "first", play_first, NULL, BY_PROCESS },
	{ "first-table", play_first, remove_table, BY_PROCESS },
};

static const struct scene *scene_called(const char *name)
{
	for (size_t i = 0; i < sizeof(scenes) / sizeof(scenes[0]); i++)
		if (strcmp(scenes[i].name, name) == 0)
			return &scenes[i];
	exit(2);
}

/* --- rounds --- */

static void play_here(const struct scene *scene)
{
	points = counted = 0;
	was_turn = false;
	if (sigsetjmp(way_out, 1) == 0)
		scene->play();
	else if (at_hand >= 0)
		leave(at_hand);
	if (is_copy)
		_exit(storm->wrong != 0);
}

/* What rounds in processes of their own counted. */
static struct {
	unsigned int points, counted, acted;
} *of_child;

/* The one that is stopped may hold a port of each kind; all others are there for others, who do not wait for it. */
static int go_on_behind_others(pid_t pid)
{
	int status, ports = pool_hi - pool_lo;

	RIGHT(waitpid(pid, &status, WUNTRACED) == pid);
	if (!WIFSTOPPED(status))
		return status;
	of_child->acted++;
	RIGHT(fill(SOCK_STREAM) >= ports);
	RIGHT(fill(SOCK_DGRAM) >= ports);
	kill(pid, SIGCONT);
	RIGHT(waitpid(pid, &status, 0) == pid);
	return status;
}

/* Of a parent that was killed, the child: it is this process's now. */
static int wait_for_orphan(pid_t parent)
{
	int status, last;

	RIGHT(waitpid(parent, &status, 0) == parent);
	while (waitpid(-1, &last, 0) > 0) {
		of_child->acted++;
		RIGHT(WIFEXITED(last) && WEXITSTATUS(last) == 0);
	}
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL ? 0 : status;
}

static void play_in_child(const struct scene *scene)
{
	int status;
	pid_t pid;

	if (act == ORPHAN)
		prctl(PR_SET_CHILD_SUBREAPER, 1);
	pid = fork();

	if (pid == 0) {
		play_here(scene);
		of_child->points = points;
		of_child->counted = counted;
		of_child->acted += act == STOP || act == ORPHAN ? 0 : acted;
		_exit(0);
	}
	if (act == STOP)
		status = go_on_behind_others(pid);
	else if (act == ORPHAN)
		status = wait_for_orphan(pid);
	else
		RIGHT(waitpid(pid, &status, 0) == pid);
	points = of_child->points;
	counted = of_child->counted;
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && act == KILL)
		of_child->acted++;
	else
		RIGHT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void play_at(const struct scene *scene, unsigned int point)
{
	target = point;
	if (scene->before)
		scene->before();
	if (scene->once == BY_PROCESS || act == KILL || act == STOP || act == ORPHAN)
		play_in_child(scene);
	else
		play_here(scene);
}

/* Where nothing is left of a round that was acted in, one for each point; else a round has as many as it can. */
static void play_rounds(const struct scene *scene)
{
	once = act >= SPLIT || scene->once != ANEW;
	target = ~0u;
	if (scene->once != BY_PROCESS) /* it is not to be about first calls */
		play_here(scene);
	play_at(scene, target); /* to count */
	if (once)
		for (unsigned int most = counted, point = 0; point < most; point += stride)
			play_at(scene, point);
	else
		for (unsigned int offset = 0; offset < stride; offset++)
			play_at(scene, offset);
}

static enum act act_called(const char *name)
{
	static const char *const names[] = { "talk", "nest", "fork", "split", "jump", "kill", "stop", "orphan" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i], name) == 0)
			return (enum act)i;
	exit(2);
}

int main(int argc, char **argv)
{
	if (argc != 6)
		return 2;
	act = act_called(argv[2]);
	turns = argv[3][0] == '-';
	stride = (unsigned int)abs(atoi(argv[3]));
	storm_begin(argv[4], argv[5]);
	of_child = mmap(NULL, sizeof(*of_child), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	steps_to(on_step, SA_NODEFER);
	for (int i = 0; i < STEP_REPEATS; i++)
		play_rounds(scene_called(argv[1]));
	printf("points %u\nacted %u\n", points, acted + of_child->acted);
	storm_tell();
	printf("tcp again %d\n", fill(SOCK_STREAM));
	printf("udp again %d\n", fill(SOCK_DGRAM));
	printf("wrong at last %d\n", storm->wrong);
	return 0;
}
