/* subject.h - the process that `portshim explain` asks about: a command as it would be started, or a process that runs. */
#ifndef PORTSHIM_TOOLS_SUBJECT_H
#define PORTSHIM_TOOLS_SUBJECT_H

#include "config/trust.h"
#include "tools/patient.h"

/* What is to be taken for given, whatever is the case; NULL: as it is. */
struct assumed {
	const char *user, *group, *cgroup; /* a name or a number; a path */
	char *const *env;                  /* NAME=value, NULL behind the last */
};

struct subject {
	struct patient patient;
	struct identity identity;
	gid_t *groups;
	bool may_bind_low;     /* ports below ip_unprivileged_port_start */
	bool may_change;       /* to another user or group: capabilities say so */
	char root[40];         /* where its file system is seen from here: "", or "/proc/PID/root" */
	bool other_network;    /* it is in another network namespace, which could not be entered */
};

/* Who it is. From here on this process is in the network namespace of process `pid` (0: of `command`, with its
 * arguments, instead), if it may enter it. EXIT_SUCCESS, or the code to exit with, the reason said; then nothing is kept. */
int subject_meet(struct subject *subject, uint32_t pid, char *const command[], const struct assumed *assumed);

/* Its user, groups and what it may, where only `patient` is filled. False: the process is gone. */
bool subject_identify(struct subject *subject);

void subject_free(struct subject *subject);

/* As the reader of its policy. */
struct reader subject_reader(const struct subject *subject);

/* What `portshim run` would do with the command, or how the process is under portshim: one sentence, to be freed. */
char *subject_way(const struct subject *subject);

#endif
