/* patient.h - a program that `portshim doctor` looks at: one that runs, or one that would be started. */
#ifndef PORTSHIM_TOOLS_PATIENT_H
#define PORTSHIM_TOOLS_PATIENT_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "config/facts.h"
#include "config/locate.h"
#include "tools/reach.h"

struct patient {
	uint32_t pid;          /* 0: it is not started yet */
	char shown[128];       /* its name, fit to be shown */
	struct reach reach;    /* of the command; of the executable of a process */
	struct facts facts;
	bool loaded;           /* the library is in the process */
	uint32_t supervisor;   /* of a process: the portshim that supervises it; 0: none */
	struct arena arena;
};

/* A process. 0 or -errno. */
int patient_of_process(struct patient *patient, uint32_t pid);

/* A command with its arguments, NULL behind the last, as this process would start it. False if memory is out. */
bool patient_of_command(struct patient *patient, char *const argv[]);

/* The policy that it finds, of the patient that was filled last: in the file system that it sees, by a path that leads there from
 * here. */
void patient_policy(const struct patient *patient, struct location *location);

/* Whether a process reads its policy from this file, by what it was started with. */
enum reads { READS_NO, READS_YES, READS_UNKNOWN };
enum reads patient_reads(uint32_t pid, const struct stat *policy);

void patient_free(struct patient *patient);

/* Whether a process has the library in it or is supervised, as far as this user may know. */
bool patient_is_under(uint32_t pid);

#endif
