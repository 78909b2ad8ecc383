/* fault_scenes.h - the scenes of the probe `fault`: calls that are given a port, and the worlds that they are made in. */
#ifndef PORTSHIM_TESTS_PROBES_FAULT_SCENES_H
#define PORTSHIM_TESTS_PROBES_FAULT_SCENES_H

#include <fcntl.h>
#include <glob.h>
#include <sys/stat.h>

#include "shim/table.h"
#include "storm.h"

#define OTHER_HOST 0x7f000002 /* 127.0.0.2 */

static int at_hand = -1; /* the socket of the scene */

/* --- plays: what is looked at --------------------------------------------------------------------------------------- */

static struct sockaddr_in6 loopback6(int port)
{
	struct sockaddr_in6 name = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port), .sin6_addr = in6addr_loopback };

	return name;
}

static int opened(int domain, int type)
{
	at_hand = socket(domain, type | SOCK_CLOEXEC, 0);
	if (at_hand >= 0)
		end_by_reset(at_hand);
	return at_hand;
}

static void leave(void)
{
	if (at_hand >= 0)
		reset(at_hand);
	at_hand = -1;
}

static void open_tcp(void) { opened(AF_INET, SOCK_STREAM); }
static void open_udp(void) { opened(AF_INET, SOCK_DGRAM); }
static void open_tcp6(void) { opened(AF_INET6, SOCK_STREAM); }

/* One that the library has not seen made. */
static void open_unseen(void)
{
	at_hand = (int)syscall(SYS_socket, AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static void open_bound(void)
{
	open_tcp();
	bind_to(at_hand, 0);
}

static int play_connect(void)
{
	return connect_to(at_hand, TCP_PORT);
}

static int play_connect6(void)
{
	struct sockaddr_in6 name = loopback6(TCP_PORT);

	return connect(at_hand, (struct sockaddr *)&name, sizeof(name));
}

static int play_connect_udp(void)
{
	return connect_to(at_hand, UDP_PORT);
}

static int play_send(void)
{
	return send_to(at_hand, UDP_PORT) == 1 ? 0 : -1;
}

static int play_sendmsg(void)
{
	struct sockaddr_in name = loopback(UDP_PORT);
	struct iovec byte = { .iov_base = "x", .iov_len = 1 };
	struct msghdr message = { .msg_name = &name, .msg_namelen = sizeof(name), .msg_iov = &byte, .msg_iovlen = 1 };

	return sendmsg(at_hand, &message, 0) == 1 ? 0 : -1;
}

static int play_bind(void)
{
	return bind_to(at_hand, 0);
}

static int play_listen(void)
{
	return listen(at_hand, 1);
}

static int play_name(void)
{
	return port_of(at_hand) < 0 ? -1 : 0;
}

static int play_bind_connect(void)
{
	return bind_to(at_hand, 0) < 0 ? -1 : connect_to(at_hand, TCP_PORT);
}

/* --- what the world is like ------------------------------------------------------------------------------------------ */

static struct table *map_table(void)
{
	glob_t found;
	int fd = glob("/dev/shm/portshim-*", 0, NULL, &found) == 0 ? open(found.gl_pathv[0], O_RDWR | O_CLOEXEC) : -1;
	struct stat about;
	/* One whose making failed is not mapped. */
	void *at = fd < 0 || fstat(fd, &about) < 0 || about.st_size != sizeof(struct table) ? MAP_FAILED : mmap(NULL, sizeof(struct table), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (fd >= 0)
		close(fd);
	globfree(&found);
	return at == MAP_FAILED ? NULL : at;
}

/* The policy is another, and every process is told so. */
static void change_policy(void)
{
	int fd = open(getenv("PORTSHIM_CONF"), O_WRONLY | O_APPEND | O_CLOEXEC);
	struct table *table = map_table();

	RIGHT(fd >= 0 && write(fd, "; more\n", 7) == 7 && table);
	close(fd);
	atomic_fetch_add(&table->generation, 1);
	munmap(table, sizeof(*table));
}

/* Connections from all ports to a host, until they are let go. */
static pid_t holder;

/* A set that was just found used up is not looked at again for some milliseconds. */
static int connect_patiently(int fd, const struct sockaddr_in *name)
{
	const struct timespec moment = { 0, 1000 * 1000 };
	int result = -1;

	for (int left = 2000; left > 0 && result < 0; left--) {
		result = connect(fd, (const struct sockaddr *)name, sizeof(*name));
		if (result < 0)
			nanosleep(&moment, NULL);
	}
	return result;
}

static void hold(in_addr_t host)
{
	int ready[2];
	char byte;

	RIGHT(pipe2(ready, O_CLOEXEC) == 0);
	holder = fork();
	if (holder == 0) {
		struct sockaddr_in name = loopback(TCP_PORT);

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		name.sin_addr.s_addr = htonl(host);
		for (int i = pool_lo; i <= pool_hi; i++) {
			open_tcp();
			RIGHT(connect_patiently(at_hand, &name) == 0);
		}
		RIGHT(write(ready[1], "", 1) == 1);
		for (;;)
			pause();
	}
	close(ready[1]);
	RIGHT(read(ready[0], &byte, 1) == 1);
	close(ready[0]);
}

static void hold_there(void) { hold(OTHER_HOST); }
static void hold_here(void) { hold(INADDR_LOOPBACK); }

static void let_go(void)
{
	if (holder > 0) {
		kill(holder, SIGKILL);
		waitpid(holder, NULL, 0);
	}
	holder = 0;
}

/* Nobody has looked whether there are ports. */
static void forget_sweeps(void)
{
	struct table *table = map_table();

	if (!table)
		return;
	memset((void *)table->sweep, 0, sizeof(table->sweep));
	munmap(table, sizeof(*table));
}

/* A first call that is not about those ports. */
static void warm_by_another(void)
{
	open_udp();
	RIGHT(send_to(at_hand, UDP_PORT) == 1);
	leave();
}

/* Ports that the table has and nobody else: those of a process that was killed. */
static void end_unseen(void)
{
	hold_here();
	let_go();
}

static const struct scene {
	const char *name;
	void (*open)(void);
	int (*play)(void);
	bool first;           /* the first call of a process, with its socket() */
	void (*once)(void);   /* before all */
	void (*before)(void); /* before each */
	void (*within)(void); /* in the child, after its first calls */
	int used_up;          /* errno, where there is no port */
	void (*warm)(void);   /* the child's first call, where it is not a play */
} scenes[] = {
	{ .name = "first-connect", .open = open_tcp, .play = play_connect, .first = true, .before = remove_table, .used_up = EADDRNOTAVAIL },
	{ .name = "first-connect6", .open = open_tcp6, .play = play_connect6, .first = true, .used_up = EADDRNOTAVAIL },
	{ .name = "first-send", .open = open_udp, .play = play_send, .first = true, .used_up = EAGAIN },
	{ .name = "connect", .open = open_tcp, .play = play_connect, .used_up = EADDRNOTAVAIL },
	{ .name = "connect6", .open = open_tcp6, .play = play_connect6, .used_up = EADDRNOTAVAIL },
	{ .name = "connect-udp", .open = open_udp, .play = play_connect_udp, .used_up = EAGAIN },
	{ .name = "send", .open = open_udp, .play = play_send, .used_up = EAGAIN },
	{ .name = "sendmsg", .open = open_udp, .play = play_sendmsg, .used_up = EAGAIN },
	{ .name = "bind", .open = open_tcp, .play = play_bind, .used_up = EADDRINUSE },
	{ .name = "bind-udp", .open = open_udp, .play = play_bind, .used_up = EADDRINUSE },
	{ .name = "listen", .open = open_tcp, .play = play_listen, .used_up = EADDRINUSE },
	{ .name = "bind-connect", .open = open_tcp, .play = play_bind_connect, .used_up = EADDRNOTAVAIL },
	{ .name = "name", .open = open_bound, .play = play_name, .used_up = EADDRINUSE },
	{ .name = "unseen", .open = open_unseen, .play = play_connect, .used_up = EADDRNOTAVAIL },
	{ .name = "doubt", .open = open_tcp, .play = play_connect, .once = hold_there, .used_up = EADDRNOTAVAIL },
	{ .name = "used-up", .open = open_tcp, .play = play_connect, .once = hold_here, .before = forget_sweeps, .used_up = EADDRNOTAVAIL, .warm = warm_by_another },
	{ .name = "sweep", .open = open_tcp, .play = play_connect, .before = end_unseen, .used_up = EADDRNOTAVAIL, .warm = warm_by_another },
	{ .name = "reload", .open = open_tcp, .play = play_connect, .within = change_policy, .used_up = EADDRNOTAVAIL },
};

static const struct scene *scene;

static const struct scene *scene_called(const char *name)
{
	for (size_t i = 0; i < sizeof(scenes) / sizeof(scenes[0]); i++)
		if (strcmp(scenes[i].name, name) == 0)
			return &scenes[i];
	exit(2);
}

#endif
