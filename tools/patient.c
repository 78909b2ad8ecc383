/* patient.c - what is to be known of a program before it is judged. */
#define _GNU_SOURCE
#include "tools/patient.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/sockets.h"
#include "tools/supervise/front.h"
#include "tools/supervise/status.h"
#include "tools/utf8.h"

#define ANCESTORS_MAX 1024

static const struct facts *current;

static const char *variable(const char *name)
{
	return current ? facts_variable_in(current, name) : NULL;
}

/* Whether the path leads there from here as well, or nowhere from both: then that is how it is called. */
static bool is_same_file(const char *there, const char *here)
{
	struct stat one, other;
	bool is_there = stat(there, &one) == 0, is_here = stat(here, &other) == 0;
	return is_there == is_here && (!is_there || (one.st_dev == other.st_dev && one.st_ino == other.st_ino));
}

void patient_policy(const struct patient *patient, struct location *location)
{
	char root[40] = "", folder[40] = "";
	if (patient->pid) {
		snprintf(root, sizeof(root), "/proc/%u/root", patient->pid);
		snprintf(folder, sizeof(folder), "/proc/%u/cwd/", patient->pid);
	}
	locate_policy_from(location, patient->facts.secure ? NULL : variable, root, folder);
	const char *path = location->path + strlen(root);
	if (location->found == FOUND_FILE && strncmp(location->path, root, strlen(root)) == 0 && is_same_file(location->path, path))
		memmove(location->path, path, strlen(path) + 1);
}

/* Whether the process has the library mapped. */
static bool library_is_mapped(uint32_t pid)
{
	char path[40], *line = NULL;
	size_t room = 0;
	bool found = false;
	snprintf(path, sizeof(path), "/proc/%u/maps", pid);
	FILE *maps = fopen(path, "re");
	while (maps && !found && getline(&line, &room, maps) > 0)
		found = strstr(line, "/libportshim.so") != NULL;
	free(line);
	if (maps)
		fclose(maps);
	return found;
}

/* A supervisor is an ancestor of all that it supervises. */
static uint32_t find_supervisor(uint32_t pid)
{
	static struct status status;
	for (int i = 0; i < ANCESTORS_MAX && pid > 1 && status_read(&status, pid); i++) {
		const char *name = status_words(&status, "Name");
		if (strncmp(name + strspn(name, "\t "), SUPERVISOR_NAME "\n", sizeof(SUPERVISOR_NAME)) == 0)
			return pid;
		pid = (uint32_t)status_number(&status, "PPid", 10);
	}
	return 0;
}

int patient_of_process(struct patient *patient, uint32_t pid)
{
	char name[PROGRAM_SIZE];
	*patient = (struct patient){ .pid = pid };
	int error = facts_of(&patient->facts, &patient->arena, pid);
	if (error)
		return error;
	current = &patient->facts;
	program_name(pid, name);
	utf8_clean(name);
	snprintf(patient->shown, sizeof(patient->shown), "%s (process %u)", name, pid);
	patient->loaded = library_is_mapped(pid);
	patient->supervisor = find_supervisor(pid);
	if (patient->facts.executable[0] != '\0')
		reach_find(&patient->reach, patient->facts.executable);
	return 0;
}

/* The arguments, joined by blanks; behind an interpreter and its script if there is one. */
static char *command_line(struct arena *arena, const struct reach *reach, char *const argv[])
{
	size_t room = strlen(reach->interpreter) + strlen(reach->path) + strlen(argv[0]) + 3;
	for (size_t i = 1; argv[i]; i++)
		room += strlen(argv[i]) + 1;
	char *line = arena_alloc(arena, room), *at = line;
	if (!line)
		return NULL;
	if (reach->interpreter[0] != '\0')
		at += sprintf(at, "%s %s", reach->interpreter, reach->path);
	else
		at = stpcpy(at, argv[0]);
	for (size_t i = 1; argv[i]; i++)
		at += sprintf(at, " %s", argv[i]);
	return line;
}

/* The file that /proc/PID/exe will show. */
static const char *resolved(struct arena *arena, const char *path)
{
	char real[PATH_MAX];
	return realpath(path, real) ? arena_copy(arena, real, strlen(real)) : path;
}

bool patient_of_command(struct patient *patient, char *const argv[])
{
	struct facts own;
	*patient = (struct patient){ .pid = 0 };
	reach_find(&patient->reach, argv[0]);
	facts_of(&own, &patient->arena, 0); /* of this process; facts_read() would keep them, for `run` has yet to set variables */
	bool secure = reach_is_privileged(&patient->reach);
	const char *program = patient->reach.interpreter[0] ? patient->reach.interpreter : patient->reach.path;
	patient->facts = (struct facts){
		.executable = resolved(&patient->arena, program),
		.started_as = patient->reach.path,
		.command = command_line(&patient->arena, &patient->reach, argv),
		.environment = secure ? "\0" : own.environment,
		.cgroup = own.cgroup,
		.secure = secure,
	};
	current = &patient->facts;
	snprintf(patient->shown, sizeof(patient->shown), "%s", argv[0]);
	utf8_clean(patient->shown);
	return patient->facts.command && patient->facts.executable;
}

void patient_free(struct patient *patient)
{
	current = NULL;
	arena_free(&patient->arena);
}

/* A supervisor has its policy by variables that were set after its start. */
enum reads patient_reads(uint32_t pid, const struct stat *policy)
{
	static struct location location;
	struct patient patient = { .pid = pid };
	struct stat about;
	enum reads reads = READS_UNKNOWN;
	if (!find_supervisor(pid) && facts_of(&patient.facts, &patient.arena, pid) == 0) {
		current = &patient.facts;
		patient_policy(&patient, &location);
		bool same = location.found == FOUND_FILE && stat(location.path, &about) == 0 && about.st_dev == policy->st_dev &&
		            about.st_ino == policy->st_ino;
		reads = same ? READS_YES : READS_NO;
	}
	patient_free(&patient);
	return reads;
}

bool patient_is_under(uint32_t pid)
{
	return library_is_mapped(pid) || find_supervisor(pid) != 0;
}
