/* test_same.c - what a program sees is the same with the library as without it; each scene and each role of the probe. */
#include <criterion/criterion.h>

#include "tests/lib/same_run.h"

static const struct same glibc = { "tests/probes/same", NULL };

#define SCENE(name, words)                                                                                     \
	Test(same, name)                                                                                       \
	{                                                                                                      \
		is_the_same(&glibc, "main", words);                                                            \
	}

SCENE(tcp, "tcp")
SCENE(mptcp, "mptcp")
SCENE(tcp_ways, "tcp-ways")
SCENE(udp, "udp")
SCENE(udplite, "udplite")
SCENE(many, "many")
SCENE(tcp_addresses, "tcp-addresses")
SCENE(tcp6_addresses, "tcp6-addresses")
SCENE(udp_addresses, "udp-addresses")
SCENE(udp6_addresses, "udp6-addresses")
SCENE(no_socket, "no-socket")
SCENE(kinds, "kinds")
SCENE(options, "options")
SCENE(mapped, "mapped")
SCENE(unix_sockets, "unix")
SCENE(bindresvport, "bindresvport")
SCENE(copies, "copies")
SCENE(messages, "messages")
SCENE(other_family, "other-family")
SCENE(devices, "devices")
SCENE(fast_open, "fast-open")
SCENE(ends, "ends")
SCENE(several, "several")
SCENE(process, "process")

#define ROLE(name, words)                                                                                      \
	Test(same_as, name)                                                                                    \
	{                                                                                                      \
		is_the_same(&glibc, words, NULL);                                                              \
	}

ROLE(constructor, "constructor")
ROLE(destructor, "destructor")
ROLE(thread, "thread")
ROLE(signal_handler, "handler")
ROLE(exit_handler, "exit")
ROLE(child, "fork")
ROLE(vfork_child, "vfork")
ROLE(spawned, "spawn")
ROLE(after_exec, "exec")
ROLE(library, "library")
ROLE(other_network, "network")
ROLE(clone, "clone")
ROLE(clone_of_memory, "clone-vm")
ROLE(clone_of_files, "clone-files")
ROLE(clone_of_both, "clone-vm-files")
ROLE(clone3, "clone3")
ROLE(networks, "setns")
ROLE(other_user, "user")
ROLE(undumpable, "undumpable")
