/* test_past_libc.c - not covered: system calls that no library makes, and programs that the library is not in. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "past.h"

TestSuite(past_libc, .init = world_enter, .fini = world_leave);

/* --- calls --------------------------------------------------------------------------------------------------- */

static const struct way {
	const char *how;
	bool udp, covered;
} ways[] = {
	{ "connect", false, true }, /* so that the others are known to differ in their way alone */
	{ "sendto", true, true },
	{ "system-connect", false, false },
	{ "system-sendto", true, false },
	{ "system-sendmsg", true, false },
	{ "system-bind", false, false },
	{ "instruction", false, false },
	{ "libc-handle", false, false },
};

#define WAYS (sizeof(ways) / sizeof(ways[0]))

ParameterizedTestParameters(past_libc, system_call_not_covered)
{
	static int index[WAYS];

	for (size_t i = 0; i < WAYS; i++)
		index[i] = (int)i;
	return cr_make_param_array(int, index, WAYS);
}

ParameterizedTest(int *index, past_libc, system_call_not_covered)
{
	static struct run run = { .policy = ALL };
	const struct way *way = &ways[*index];
	int server = way->udp ? server_udp("127.0.0.1", 5000) : server_tcp("127.0.0.1", 5000), port;

	escape_start(&run, way->how, "127.0.0.1", PORT);
	port = way->udp ? server_receive(server) : server_accept(server, NULL);
	escape_end(&run, way->how);
	if (way->covered)
		covered(way->how, port);
	else
		not_covered(way->how, port);
}

/* --- io_uring ------------------------------------------------------------------------------------------------ */

/* The errno of a kernel that has none, or whose administrator forbids it (kernel.io_uring_disabled); else 0. */
static int ring_error(void)
{
	struct io_uring_params parameters = { .flags = 0 };
	int ring = (int)syscall(SYS_io_uring_setup, 1, &parameters);

	if (ring < 0)
		return errno;
	close(ring);
	return 0;
}

static void go_by_ring(const char *how, bool udp)
{
	static struct run run;
	int server = udp ? server_udp("127.0.0.1", 5000) : server_tcp("127.0.0.1", 5000);
	char words[64];

	run = (struct run){ .policy = ALL };
	escape_start(&run, how, "127.0.0.1", PORT);
	if (ring_error()) {
		snprintf(words, sizeof(words), "no io_uring\n%s\n", strerrorname_np(ring_error()));
		run_end(&run);
		cr_expect_str_eq(run.out, words);
		cr_expect(nobody_came(server));
		return;
	}
	not_covered(how, udp ? server_receive(server) : server_accept(server, NULL));
	escape_end(&run, how);
}

Test(past_libc, io_uring_connect_not_covered)
{
	go_by_ring("ring-connect", false);
}

Test(past_libc, io_uring_sendmsg_not_covered)
{
	go_by_ring("ring-sendmsg", true);
}

/* --- programs ------------------------------------------------------------------------------------------------ */

static int port_of_program(struct run *run, const char *const argv[])
{
	int port, server = server_tcp("127.0.0.1", 5000);

	story_start(run, argv);
	port = server_accept(server, NULL);
	run_end(run);
	close(server);
	cr_expect(exited(run, 0), "%s", run->err);
	cr_expect_str_eq(run->out, "ok\n", "%s%s", run->out, run->err);
	return port;
}

/* A shell starts it: whoever is started by name alone is seen through by the command. */
Test(past_libc, static_program_not_covered)
{
	char line[600];
	const char *argv[] = { "sh", "-c", line, NULL };
	static struct run run = { .policy = ALL };

	snprintf(line, sizeof(line), "%s 127.0.0.1 " PORT, built("tests/probes/static_connect"));
	not_covered("a static program", port_of_program(&run, argv));
}

Test(past_libc, child_with_another_environment_not_covered)
{
	char *probe = strdup(built("tests/probes/escape"));
	const char *empty[] = { "env", "-i", probe, "connect", "127.0.0.1", PORT, NULL };
	const char *unset[] = { "env", "-u", "LD_PRELOAD", probe, "connect", "127.0.0.1", PORT, NULL };
	const char *kept[] = { "env", "OTHER=x", probe, "connect", "127.0.0.1", PORT, NULL };
	static struct run run = { .policy = ALL };

	not_covered("a child with an empty environment", port_of_program(&run, empty));
	not_covered("a child without LD_PRELOAD", port_of_program(&run, unset));
	covered("a child with one variable more", port_of_program(&run, kept));
	free(probe);
}

/* Started by a user who lacks the privileges that the file gives; by who has them it is a program like others. */
Test(past_libc, setuid_program_of_another_user_not_covered)
{
	const char *folder = file_path("bin"), *program = file_path("bin/escape");
	const char *nobody[] = { "setpriv", "--reuid=65534", "--clear-groups", program, "connect", "127.0.0.1", PORT, NULL };
	const char *root[] = { "sh", "-c", "exec \"$@\"", "sh", program, "connect", "127.0.0.1", PORT, NULL };
	static struct run run = { .policy = ALL };

	shell("chmod 755 %s && mkdir %s && mount -t tmpfs -o mode=755 none %s && cp %s %s && chmod 4755 %s", file_path("."),
	      folder, folder, built("tests/probes/escape"), program, program);
	not_covered("a setuid program of another user", port_of_program(&run, nobody));
	covered("a setuid program of the same user", port_of_program(&run, root));
	cr_expect(umount2(folder, MNT_DETACH) == 0);
}

#define BY_LIBCURL(mode) \
	"import ctypes, os\n" \
	"curl = ctypes.CDLL('libcurl.so.4', mode=os.RTLD_NOW | " mode ")\n" \
	"curl.curl_easy_init.restype = ctypes.c_void_p\n" \
	"handle = ctypes.c_void_p(curl.curl_easy_init())\n" \
	"curl.curl_easy_setopt(handle, 10002, b'telnet://127.0.0.1:5000/')\n" \
	"print('ok' if curl.curl_easy_perform(handle) == 0 else 'failed')\n"

/* A library that is loaded so that it sees its own dependencies first finds libc's functions there. */
Test(past_libc, library_bound_deeply_not_covered)
{
	const char *deeply[] = { PYTHON, "-c", BY_LIBCURL("os.RTLD_DEEPBIND"), NULL };
	const char *usually[] = { PYTHON, "-c", BY_LIBCURL("0"), NULL };
	static struct run run = { .policy = ALL };

	not_covered("a library loaded with RTLD_DEEPBIND", port_of_program(&run, deeply));
	covered("a library loaded without", port_of_program(&run, usually));
}

/* --- sockets from before ------------------------------------------------------------------------------------- */

static void inherit(const char *what, const struct sockaddr_in *bound_to, bool is_covered)
{
	static struct run run;
	char number[16];
	int port, server = server_tcp("127.0.0.1", 5000), fd = socket(AF_INET, SOCK_STREAM, 0);

	cr_assert(!bound_to || bind(fd, (const struct sockaddr *)bound_to, sizeof(*bound_to)) == 0);
	snprintf(number, sizeof(number), "%d", fd);
	run = (struct run){ .policy = ALL };
	escape_start(&run, "inherited", number, PORT);
	port = server_accept(server, NULL);
	escape_end(&run, what);
	if (is_covered)
		covered(what, port);
	else
		not_covered(what, port);
	close(fd);
	close(server);
}

Test(past_libc, socket_bound_before_not_covered)
{
	const struct sockaddr_in any = { .sin_family = AF_INET };

	inherit("a socket that was bound before", &any, false);
	inherit("a socket that was not", NULL, true);
}
