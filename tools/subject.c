/* subject.c - who makes the call that is explained. */
#define _GNU_SOURCE
#include "tools/subject.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/text.h"
#include "shim/identity.h"
#include "tools/commands.h"
#include "tools/library.h"
#include "tools/memory.h"
#include "tools/message.h"
#include "tools/supervise/filter.h"
#include "tools/supervise/status.h"
#include "tools/supervise/supervise.h"

enum { CAP_GROUP = 6, CAP_USER = 7, CAP_BIND_LOW = 10 }; /* CAP_SETGID, CAP_SETUID, CAP_NET_BIND_SERVICE */
enum { GROUPS_ROOM = 65536 };                            /* NGROUPS_MAX of Linux */

/* --- user and groups -------------------------------------------------------------------------------------- */

static void groups_set(struct subject *subject, const gid_t *groups, size_t n)
{
	free(subject->groups);
	subject->groups = memory_zeroed(n, sizeof(*groups));
	if (n)
		memcpy(subject->groups, groups, n * sizeof(*groups));
	subject->identity.groups = subject->groups;
	subject->identity.n_groups = n;
}

static void take_own(struct subject *subject)
{
	struct identity_store store;
	identity_ask(&store);
	subject->identity = store.identity;
	groups_set(subject, store.identity.groups, store.identity.n_groups);
	identity_done(&store);
}

static void take_of_process(struct subject *subject, const struct status *status)
{
	gid_t *groups = memory_zeroed(GROUPS_ROOM, sizeof(*groups));
	const char *words = status_words(status, "Groups");
	size_t n = 0;
	subject->identity.user = status_id(status, "Uid", STATUS_EFFECTIVE);
	subject->identity.group = status_id(status, "Gid", STATUS_EFFECTIVE);
	for (char *end; n < GROUPS_ROOM && *words != '\n'; words = end + strspn(end, " \t")) {
		gid_t group = (gid_t)strtoul(words, &end, 10);
		if (end == words)
			break;
		groups[n++] = group;
	}
	groups_set(subject, groups, n);
	free(groups);
}

static bool number_of(const char *words, uint32_t *number)
{
	uint64_t value;
	bool good = text_to_number(words, strlen(words), UINT32_MAX - 1, &value);
	if (good)
		*number = (uint32_t)value;
	return good;
}

/* Groups as well, as a login has them. */
static bool assume_user(struct subject *subject, const char *words)
{
	uint32_t user = 0;
	bool numeric = number_of(words, &user);
	const struct passwd *known = numeric ? getpwuid(user) : getpwnam(words);
	if (!numeric && !known) {
		say_error("explain: there is no user %s; write the number that 'id' shows", words);
		return false;
	}
	subject->identity.user = known ? known->pw_uid : user;
	if (known) {
		gid_t *groups = memory_zeroed(GROUPS_ROOM, sizeof(*groups));
		int n = GROUPS_ROOM;
		subject->identity.group = known->pw_gid;
		getgrouplist(known->pw_name, known->pw_gid, groups, &n);
		groups_set(subject, groups, n > 0 ? (size_t)n : 0);
		free(groups);
	}
	subject->may_bind_low = subject->identity.user == 0;
	return true;
}

static bool assume_group(struct subject *subject, const char *words)
{
	uint32_t group = 0;
	bool numeric = number_of(words, &group);
	const struct group *known = numeric ? NULL : getgrnam(words);
	if (!numeric && !known) {
		say_error("explain: there is no group %s; write the number that 'id' shows", words);
		return false;
	}
	subject->identity.group = known ? known->gr_gid : group;
	return true;
}

/* --- cgroup and environment ---------------------------------------------------------------------------------- */

/* Strings one after the other, an empty one behind the last. */
static size_t strings_length(const char *strings)
{
	const char *at = strings;
	while (*at)
		at += strlen(at) + 1;
	return (size_t)(at - strings);
}

static bool is_replaced(const char *variable, char *const *env)
{
	size_t name = strcspn(variable, "=") + 1;
	for (size_t i = 0; env[i]; i++)
		if (strncmp(variable, env[i], name) == 0)
			return true;
	return false;
}

/* The environment with these variables instead of those of the same names. */
static const char *assume_env(struct patient *patient, char *const *env)
{
	const char *old = patient->facts.environment;
	size_t room = strings_length(old) + 2;
	for (size_t i = 0; env[i]; i++)
		room += strlen(env[i]) + 1;
	char *environment = arena_alloc(&patient->arena, room), *to = environment;
	if (!environment)
		return NULL;
	for (const char *at = old; *at; at += strlen(at) + 1)
		if (!is_replaced(at, env))
			to = stpcpy(to, at) + 1;
	for (size_t i = 0; env[i]; i++)
		if (!is_replaced(env[i], env + i + 1)) /* the last of a name counts, as with env(1) */
			to = stpcpy(to, env[i]) + 1;
	*to = '\0';
	return environment;
}

static const char *assume_cgroup(struct patient *patient, const char *path)
{
	size_t length = strlen(path);
	char *cgroup = arena_alloc(&patient->arena, length + 2);
	if (cgroup)
		memset((char *)mempcpy(cgroup, path, length), 0, 2);
	return cgroup;
}

/* Of what runs with privileges that its user lacks, no variable counts: assumed ones neither. */
static bool assume(struct subject *subject, const struct assumed *assumed)
{
	struct facts *facts = &subject->patient.facts;
	if ((assumed->user && !assume_user(subject, assumed->user)) || (assumed->group && !assume_group(subject, assumed->group)))
		return false;
	if (assumed->cgroup)
		facts->cgroup = assume_cgroup(&subject->patient, assumed->cgroup);
	if (assumed->env[0] && !facts->secure)
		facts->environment = assume_env(&subject->patient, assumed->env);
	if (!facts->cgroup || !facts->environment)
		say_error("memory is out");
	return facts->cgroup && facts->environment;
}

/* --- a command, a process ------------------------------------------------------------------------------------ */

/* The one that it runs as, if its file says so. */
static void take_privileges(struct subject *subject)
{
	const struct reach *reach = &subject->patient.reach;
	struct stat about;
	if (!reach_is_privileged(reach) || stat(reach->path, &about) < 0)
		return;
	if (about.st_mode & S_ISUID)
		subject->identity.user = about.st_uid;
	if (about.st_mode & S_ISGID)
		subject->identity.group = about.st_gid;
	subject->may_bind_low = subject->may_bind_low || subject->identity.user == 0;
	subject->may_change = subject->may_change || subject->identity.user == 0;
}

/* What one permits it may make effective again. */
static void take_capabilities(struct subject *subject, const struct status *status)
{
	uint64_t permitted = status_number(status, "CapPrm", 16);
	subject->may_bind_low = status_number(status, "CapEff", 16) >> CAP_BIND_LOW & 1;
	subject->may_change = (permitted >> CAP_GROUP | permitted >> CAP_USER) & 1;
}

bool subject_identify(struct subject *subject)
{
	static struct status status;
	uint32_t pid = subject->patient.pid;
	bool known = status_read(&status, pid ? pid : (uint32_t)getpid());
	if (known)
		take_capabilities(subject, &status);
	if (known && pid)
		take_of_process(subject, &status);
	if (!pid) {
		take_own(subject);
		take_privileges(subject);
	}
	return known || !pid;
}

static int meet_command(struct subject *subject, char *const command[])
{
	const struct reach *reach = &subject->patient.reach;
	if (!patient_of_command(&subject->patient, command)) {
		say_error("memory is out");
		return EXIT_FAILURE;
	}
	if (reach->verdict == REACH_NOT_FOUND || reach->verdict == REACH_NOT_EXECUTABLE ||
	    reach->verdict == REACH_NO_INTERPRETER) {
		say_error("%s cannot be executed: %s", reach->path[0] ? reach->path : subject->patient.shown,
		          strerror(reach->error));
		return EXIT_FAILURE;
	}
	subject_identify(subject);
	return EXIT_SUCCESS;
}

/* Ports, settings and tables are those of its network namespace. */
static void enter_network(struct subject *subject, uint32_t pid)
{
	char path[40];
	struct stat there, here;
	snprintf(path, sizeof(path), "/proc/%u/ns/net", pid);
	if (stat(path, &there) < 0 || stat("/proc/self/ns/net", &here) < 0 || there.st_ino == here.st_ino)
		return;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	subject->other_network = fd < 0 || setns(fd, CLONE_NEWNET) < 0;
	if (fd >= 0)
		close(fd);
}

static int meet_process(struct subject *subject, uint32_t pid)
{
	int error = patient_of_process(&subject->patient, pid);
	if (!error && !subject_identify(subject))
		error = -ESRCH;
	if (error == -ENOENT || error == -ESRCH)
		say_error("there is no process %u", pid);
	else if (error)
		say_error("process %u cannot be looked at: %s; try as its user or as root", pid, strerror(-error));
	if (error)
		return EXIT_FAILURE;
	snprintf(subject->root, sizeof(subject->root), "/proc/%u/root", pid);
	enter_network(subject, pid);
	return EXIT_SUCCESS;
}

int subject_meet(struct subject *subject, uint32_t pid, char *const command[], const struct assumed *assumed)
{
	*subject = (struct subject){ .groups = NULL };
	int code = pid ? meet_process(subject, pid) : meet_command(subject, command);
	if (code == EXIT_SUCCESS && !assume(subject, assumed))
		code = EXIT_USAGE;
	if (code != EXIT_SUCCESS)
		subject_free(subject);
	return code;
}

struct reader subject_reader(const struct subject *subject)
{
	uid_t user = subject->identity.user;
	return (struct reader){ .user = user, .strict = user == 0 || subject->patient.facts.secure };
}

void subject_free(struct subject *subject)
{
	free(subject->groups);
	patient_free(&subject->patient);
	*subject = (struct subject){ .groups = NULL };
}

/* --- how it is reached ---------------------------------------------------------------------------------------- */

static char *way_of_process(const struct patient *patient)
{
	if (patient->supervisor)
		return memory_words("process %u is supervised by portshim, process %u", patient->pid, patient->supervisor);
	if (patient->loaded)
		return memory_words("libportshim.so is in process %u", patient->pid);
	return memory_words("process %u is not under portshim: its calls pass; 'portshim doctor %u' says why", patient->pid,
	                    patient->pid);
}

static char *way_of_command(const struct reach *reach)
{
	struct library library = { .path = "" };
	struct reach mine = *reach;
	char words[3 * PATH_MAX];
	const char *program = reach->interpreter[0] ? reach->interpreter : reach->path;
	if (mine.verdict == REACH_OTHER_WORD && library_find(&library))
		reach_extend(&mine, &library);
	int error = reach_is_for_supervisor(&mine) ? supervise_possible() : 0;
	if (error)
		return memory_words("%s %s, and it cannot be supervised: %s", program, reach_reason(&mine), filter_words(error));
	if (reach_is_for_supervisor(&mine))
		return memory_words("%s %s: portshim run supervises it", program, reach_reason(&mine));
	reach_words(&mine, words, sizeof(words));
	return words[0] ? memory_words("%s", words) : memory_words("portshim run preloads the library into %s", program);
}

char *subject_way(const struct subject *subject)
{
	return subject->patient.pid ? way_of_process(&subject->patient) : way_of_command(&subject->patient.reach);
}
