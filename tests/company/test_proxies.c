/* test_proxies.c - libraries that lead a program's connections elsewhere: to a SOCKS server, to sockets of AF_UNIX.
 *
 * Which of two libraries must come first is not ours to say: proxychains connects a socket of its own by the next
 * connect() in the chain, so ours has to be behind it; torsocks and socket_wrapper open libc by its name and call
 * nobody in between, so ours has to be before them. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/company.h"
#include "tests/lib/world.h"

#define PROXY_PORT 9050

/* --- a SOCKS server ---------------------------------------------------------------------------------------- */

static void take_bytes(int fd, size_t count)
{
	char bytes[256];

	if (recv(fd, bytes, count, MSG_WAITALL) != (ssize_t)count)
		_exit(1);
}

static int take_byte(int fd)
{
	unsigned char byte;

	if (recv(fd, &byte, 1, MSG_WAITALL) != 1)
		_exit(1);
	return byte;
}

/* RFC 1928 without authentication. It connects nobody, and says that it did. */
static void serve_one(int fd)
{
	static const char chosen[] = { 5, 0 }, done[] = { 5, 0, 0, 1, 0, 0, 0, 0, 0, 0 };
	int kind;

	take_byte(fd);
	take_bytes(fd, (size_t)take_byte(fd));
	if (send(fd, chosen, sizeof(chosen), 0) < 0)
		_exit(1);
	take_bytes(fd, 3);
	kind = take_byte(fd);
	take_bytes(fd, (kind == 1 ? 4 : (size_t)take_byte(fd)) + 2);
	if (send(fd, done, sizeof(done), 0) < 0)
		_exit(1);
	take_byte(fd); /* the program's own */
}

static struct {
	pid_t pid;
	int ports; /* the end of a pipe: where its clients came from */
} proxy;

static void proxy_start(void)
{
	int listener = server_tcp("127.0.0.1", PROXY_PORT), pipes[2];

	cr_assert(pipe(pipes) == 0);
	proxy.pid = fork();
	if (proxy.pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (int fd, port; (port = server_accept(listener, &fd)) > 0;) {
			if (write(pipes[1], &port, sizeof(port)) != sizeof(port))
				_exit(1);
			serve_one(fd);
		}
	}
	close(listener);
	close(pipes[1]);
	proxy.ports = pipes[0];
}

static int proxy_client(void)
{
	struct pollfd pollfd = { .fd = proxy.ports, .events = POLLIN };
	int port = 0;

	cr_assert(poll(&pollfd, 1, DEADLINE_MS) == 1 && read(proxy.ports, &port, sizeof(port)) == sizeof(port));
	return port;
}

static void proxy_stop(void)
{
	kill(proxy.pid, SIGKILL);
	waitpid(proxy.pid, NULL, 0);
	close(proxy.ports);
}

/* --- programs that are led there ------------------------------------------------------------------------------ */

static const char *const steps[] = {
	"socket 0 tcp4", "connect 0 192.0.2.1 80", "write 0", "socket 1 tcp4", "bind 1 127.0.0.1 0",
	"connect 1 192.0.2.2 80", "write 1", "close 0", "fork", "socket 2 tcp4", "connect 2 192.0.2.1 80", "write 2",
	NULL,
};

#define PROXY_CLIENTS 3

/* With the library in front of the other one, behind it, or without. */
enum order { BARE, OURS_FIRST, OURS_LAST };

static void lead(struct run *run, const char *pattern, const char *settings, enum order order, int lo, int hi)
{
	char *library = realpath(built("libportshim.so"), NULL), preload[700];
	const char *other = company_file(pattern);
	int port;

	*run = (struct run){ .bare = order == BARE, .policy = order == BARE ? NULL : EARLY };
	run->env[0] = preload;
	run->env[1] = settings;
	snprintf(preload, sizeof(preload), "LD_PRELOAD=%s:%s", order == OURS_FIRST ? library : other,
	         order == OURS_LAST ? library : order == OURS_FIRST ? other : "");
	company_meet();
	proxy_start();
	company_run(run, NULL, NULL, steps);
	for (int i = 0; i < PROXY_CLIENTS; i++) {
		port = proxy_client();
		cr_assert(port >= lo && port <= hi, "%d not in %d-%d:\n%s%s", port, lo, hi, run->out, run->err);
	}
	proxy_stop();
	free(library);
}

/* The order that is right: all that comes to the SOCKS server is of the rule. The other way round: the program is none
 * the worse for it. */
static void led_by(const char *pattern, const char *variable, const char *text, enum order right, bool either)
{
	static struct run bare, run;
	char settings[600];

	world_enter();
	snprintf(settings, sizeof(settings), "%s=%s", variable, file_make("proxy.conf", text));
	lead(&bare, pattern, settings, BARE, 40000, 40999);
	cr_assert(exited(&bare, 0) && printed(&bare, "connect 2 192.0.2.1 80 = 0"), "%s%s", bare.out, bare.err);
	lead(&run, pattern, settings, right, 20000, 20099);
	company_like(&bare, &run);
	lead(&run, pattern, settings, right == OURS_LAST ? OURS_FIRST : OURS_LAST, 20000, either ? 20099 : 65535);
	company_like(&bare, &run);
	world_leave();
}

Test(proxies, proxychains)
{
	led_by("/usr/lib/*/libproxychains.so.4", "PROXYCHAINS_CONF_FILE",
	       "strict_chain\nquiet_mode\n[ProxyList]\nsocks5 127.0.0.1 9050\n",
	       OURS_LAST, false);
}

/* `portshim run` puts the library where it sees what proxychains sends. */
Test(proxies, run_under_proxychains)
{
	static struct run run;
	const char *argv[] = { built("portshim"), "run", built("tests/probes/act"), "socket 0 tcp4", "connect 0 192.0.2.1 80",
	                       "write 0", NULL };
	char settings[600], preload[700];
	int port;

	world_enter();
	snprintf(settings, sizeof(settings), "PROXYCHAINS_CONF_FILE=%s",
	         file_make("proxy.conf", "strict_chain\nquiet_mode\n[ProxyList]\nsocks5 127.0.0.1 9050\n"));
	snprintf(preload, sizeof(preload), "LD_PRELOAD=%s", company_file("/usr/lib/*/libproxychains.so.4"));
	run = (struct run){ .bare = true, .policy = EARLY, .env = { preload, settings } };
	company_meet();
	proxy_start();
	run_program(&run, argv);
	cr_assert(exited(&run, 0) && printed(&run, "connect 0 192.0.2.1 80 = 0"), "%s%s", run.out, run.err);
	port = proxy_client();
	cr_assert(port >= 20000 && port <= 20099, "%d", port);
	proxy_stop();
	world_leave();
}

Test(proxies, tsocks)
{
	led_by("/usr/lib/*/libtsocks.so.1", "TSOCKS_CONF_FILE",
	       "local = 10.0.0.0/255.0.0.0\nserver = 127.0.0.1\nserver_port = 9050\nserver_type = 5\n", OURS_LAST,
	       true);
}

Test(proxies, torsocks)
{
	led_by("/usr/lib/*/torsocks/libtorsocks.so.0", "TORSOCKS_CONF_FILE", "TorAddress 127.0.0.1\nTorPort 9050\n",
	       OURS_FIRST, false);
}

/* The proxy's one port is used up: the program hears it from connect(), and nothing leaves from elsewhere. */
Test(proxies, used_up)
{
	static struct run run;
	const char *const held[] = { "socket 0 tcp4", "connect 0 192.0.2.1 80", "socket 1 tcp4",
	                             "connect 1 192.0.2.2 80", NULL };
	char settings[600], preload[700];

	world_enter();
	snprintf(settings, sizeof(settings), "TSOCKS_CONF_FILE=%s",
	         file_make("proxy.conf", "server = 127.0.0.1\nserver_port = 9050\nserver_type = 5\n"));
	snprintf(preload, sizeof(preload), "LD_PRELOAD=%s:%s", company_file("/usr/lib/*/libtsocks.so.1"),
	         realpath(built("libportshim.so"), NULL));
	run = (struct run){ .policy = "[rule r]\nports = 20000\n", .env = { preload, settings } };
	company_meet();
	proxy_start();
	company_run(&run, NULL, NULL, held);
	proxy_stop();
	cr_assert(exited(&run, 0), "%s", run.err);
	cr_assert_str_eq(result_of(&run, "connect 0 192.0.2.1 80"), "0");
	cr_assert(strncmp(result_of(&run, "connect 1 192.0.2.2 80"), "-1 ", 3) == 0, "%s", run.out);
	world_leave();
}

/* --- sockets that are none of the network's --------------------------------------------------------------------- */

static const char *const emulated[] = {
	"socket 3 tcp4", "set 3 reuseaddr 1", "bind 3 127.0.0.10 6000", "listen 3", "socket 4 tcp4",
	"connect 4 127.0.0.10 6000", "name 4", "accept 3 5", "peer 5", "name 5", "socket 0 udp4",
	"bind 0 127.0.0.10 7000", "socket 1 udp4", "sendto 1 127.0.0.10 7000", "socket 6 tcp4", "bind 6 127.0.0.10 0",
	"connect 6 127.0.0.10 6000", "name 6", "dup 4 7", "close 4", "close 7", "fork", "socket 8 tcp4",
	"connect 8 127.0.0.10 6000", "name 8", NULL,
};

/* socket_wrapper: in front of it the ports are the rule's there as well; behind it we have nothing to say. */
static void emulate(enum order order)
{
	static struct run run;
	char preload[700], folder[600], *library = realpath(built("libportshim.so"), NULL);
	const char *other = company_file("/usr/lib/*/libsocket_wrapper.so");

	world_enter();
	shell("mkdir '%s'", file_path("sockets"));
	snprintf(folder, sizeof(folder), "SOCKET_WRAPPER_DIR=%s", file_path("sockets"));
	snprintf(preload, sizeof(preload), "LD_PRELOAD=%s:%s", order == OURS_FIRST ? library : other,
	         order == OURS_FIRST ? other : library);
	run = (struct run){ .policy = EARLY, .env = { preload, folder, "SOCKET_WRAPPER_DEFAULT_IFACE=10" } };
	company_meet();
	company_run(&run, NULL, NULL, emulated);
	cr_assert(exited(&run, 0), "%s%s", run.out, run.err);
	cr_assert_null(strstr(run.out, "= -1"), "%s", run.out);
	cr_assert_eq(port_of(&run, "name 5"), 6000);
	cr_assert_eq(port_of(&run, "name 4"), port_of(&run, "peer 5"));
	for (const char *const *name = (const char *const[]){ "name 4", "name 6", "name 8", NULL }; *name; name++)
		cr_assert_eq(order == OURS_FIRST, port_of(&run, *name) >= 20000 && port_of(&run, *name) <= 20099, "%s",
		             run.out);
	world_leave();
}

Test(emulation, in_front_of_socket_wrapper)
{
	emulate(OURS_FIRST);
}

Test(emulation, behind_socket_wrapper)
{
	emulate(OURS_LAST);
}
