/* same.c - a program whose every line of output must be the same with and without the library.
 *
 * `same ROLE [SCENE]`: each scene makes calls with sockets, right and wrong ones, and prints the results, the errnos
 * and the states of the sockets. The role is who makes them: main, a thread, a constructor ... In the role `main` all
 * the scenes are played, or the one that is named; in the others, those that are short. */
#define _GNU_SOURCE
#include "same.h"
#include "same_odd.h"
#include "same_rest.h"
#include "same_roles.h"

static const struct { const char *name; void (*play)(void); bool is_short; } scenes[] = {
	{ "tcp", scene_tcp, false }, { "mptcp", scene_mptcp, false }, { "tcp-ways", scene_tcp_ways, false },
	{ "udp", scene_udp, false }, { "udplite", scene_udplite, false }, { "many", scene_many, false },
	{ "tcp-addresses", scene_tcp_addresses, false }, { "tcp6-addresses", scene_tcp6_addresses, false },
	{ "udp-addresses", scene_udp_addresses, false }, { "udp6-addresses", scene_udp6_addresses, false },
	{ "no-socket", scene_no_socket, false }, { "kinds", scene_kinds, false }, { "options", scene_options, false },
	{ "mapped", scene_mapped, true }, { "unix", scene_unix, true }, { "bindresvport", scene_bindresvport, false },
	{ "copies", scene_copies, true }, { "messages", scene_messages, true }, { "tcp-short", scene_tcp_short, true },
	{ "udp-short", scene_udp_short, true }, { "addresses-short", scene_addresses_short, true },
	{ "other-family", scene_other_family, false }, { "devices", scene_devices, false },
	{ "fast-open", scene_fast_open, false }, { "ends", scene_ends, false }, { "several", scene_several, false },
	{ "process", scene_process, false },
};

static const char *role = "";

static void play(const char *only, bool all)
{
	for (size_t i = 0; i < sizeof(scenes) / sizeof(scenes[0]); i++) {
		if (only ? strcmp(only, scenes[i].name) != 0 : !all && !scenes[i].is_short)
			continue;
		scenario = scenes[i].name;
		scenes[i].play();
	}
	scenario = "end";
	say("%s", role);
}

static void play_short(void)
{
	play(NULL, false);
}

/* For those that come before main() and after it. */
static bool has_role(const char *name)
{
	const char *given = getenv("SAME_ROLE");

	return given && strcmp(given, name) == 0;
}

static __attribute__((constructor)) void before_main(void)
{
	signal(SIGPIPE, count_pipe);
	if (has_role("constructor") || has_role("loaded"))
		play_short();
}

static __attribute__((destructor)) void after_main(void)
{
	if (has_role("destructor"))
		play_short();
}

int main(int argc, char **argv)
{
	static const struct { const char *name; void (*act)(void); } roles[] = {
		{ "thread", as_thread }, { "handler", as_handler }, { "exit", as_exit_handler }, { "fork", as_child },
		{ "vfork", as_vfork_child }, { "spawn", as_spawned }, { "exec", as_executed }, { "library", as_library },
		{ "clone", as_clone }, { "clone-vm", as_clone_of_memory }, { "clone-files", as_clone_of_files },
		{ "clone-vm-files", as_clone_of_both }, { "clone3", as_raw_clone }, { "setns", as_traveller },
		{ "network", as_other_network }, { "user", as_other_user }, { "undumpable", as_undumpable }, { "short", play_short },
	};

	role = argc > 1 ? argv[1] : "main";
	scenario = role;
	if (strcmp(role, "main") == 0)
		play(argc > 2 ? argv[2] : NULL, true);
	if (strcmp(role, "after-exec") == 0 && argc > 2)
		after_exec(atoi(argv[2]));
	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
		if (strcmp(role, roles[i].name) == 0)
			roles[i].act();
	return 0;
}
