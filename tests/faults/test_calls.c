/* test_calls.c - each system call that the library makes fails, in each way that it can: the program's call is given its port, or
 * fails with an errno that says why; nothing leaves from elsewhere but what a policy that cannot be read lets through, which is
 * said; nothing is left open, mapped or claimed; and the next call is well again. */
#define _GNU_SOURCE
#include <criterion/criterion.h>

#include "tests/faults/faulty.h"

TestSuite(calls, .timeout = 300);

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void play_all(const struct faulty *faulty, size_t count)
{
	for (size_t i = 0; i < count; i++)
		faulty_play("fail", &faulty[i]);
}

#define WITH_LOG "[portshim]\nlog = debug\nlog-to = "
#define SHARES_NEVER "share = never\n"
#define TO "to = 127.0.0.0/8\n"

/* The first calls of a process: it reads the policy, makes the table, learns who it is. */
Test(calls, first)
{
	static const struct faulty early = { "first-connect", "", NONE, 1000 };

	faulty_play("fail-for-good", &early);
}

Test(calls, first_with_a_table)
{
	static const struct faulty all[] = { { "first-connect6", "", LATE, 400 }, { "first-send", "[portshim]\ntable = none\n", NONE, 300 } };

	play_all(all, COUNT(all));
}

/* Later ones, in each way to a port. */
Test(calls, later)
{
	static const struct faulty all[] = {
		{ "connect", "", NONE, 20 }, { "connect", "", LATE, 15 }, { "connect", "", SHARES_NEVER, 20000, 15 },
		{ "connect", "", "choose = kernel\n", 40100, 15 }, { "connect", "", "source = 127.0.0.1\n", 40100, 30 },
		{ "connect6", "", NONE, 20 }, { "connect6", "", LATE, 15 }, { "connect-udp", "", NONE, 15 },
		{ "send", "", NONE, 10 }, { "send", "", LATE, 10 }, { "sendmsg", "", NONE, 10 }, { "bind", "", NONE, 5 },
		{ "bind", "", LATE, 5 }, { "bind-udp", "", NONE, 5 }, { "listen", "", NONE, 10 },
	};

	play_all(all, COUNT(all));
}

/* A kernel that cannot put a bind off, or that says so in this way or that. */
Test(calls, put_off_for_good)
{
	static const struct faulty early = { "bind-connect", "", TO, 20000, 100 }, late_ports = { "bind-connect", "", TO, 40100, 90 };

	faulty_play("fail-for-good", &early);
	faulty_play("fail-for-good", &late_ports);
}

/* A bind that is put off, or carried out when its port is asked for; a socket that came from elsewhere. */
Test(calls, put_off_and_unseen)
{
	static const struct faulty all[] = {
		{ "bind-connect", "", NONE, 15 }, { "name", "", TO "[rule rest]\nports = 20000-20007\n", 20000, 10 }, { "unseen", "", NONE, 75 },
		{ "unseen", "", LATE, 75 },
	};

	play_all(all, COUNT(all));
}

/* Somebody has the ports: the kernel is asked about one connection, or all. */
Test(calls, questions)
{
	static const struct faulty all[] = {
		{ "doubt", "", NONE, 75 }, { "doubt", "", LATE, 15 }, { "sweep", "", NONE, 75 }, { "sweep", "", LATE, 50 },
		{ "sweep", "", SHARES_NEVER, 20000, 50 },
	};

	play_all(all, COUNT(all));
}

Test(calls, used_up)
{
	static const struct faulty all[] = {
		{ "used-up", "", NONE, 50 }, { "used-up", "", LATE, 50 }, { "used-up", "", SHARES_NEVER, 20000, 50 },
		{ "used-up", "[portshim]\ntable = none\n", NONE, 50 }, { "used-up", "", "exhausted = wait 10ms\n", 20000, 75 },
	};

	play_all(all, COUNT(all));
}

/* What is written beside: an audit, messages. */
Test(calls, written)
{
	static const struct faulty all[] = {
		{ "connect", WITH_LOG "/dev/shm/log\naudit = /dev/shm/audit\n", NONE, 100 },
		{ "connect", WITH_LOG "/dev/shm/log\naudit = /dev/shm/audit\n", LATE, 100 },
		{ "send", WITH_LOG "syslog\n", NONE, 20 }, { "connect", WITH_LOG "stderr\n", NONE, 45 },
	};

	play_all(all, COUNT(all));
}

/* A policy that was changed is read again. */
Test(calls, reload)
{
	static const struct faulty all[] = { { "reload", "", NONE, 150 } };

	play_all(all, COUNT(all));
}
