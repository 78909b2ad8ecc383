/* machine.h - a whole machine whose /etc/ld.so.preload names the library, and the same machine without.
 *
 * Its root is an overlay: below it, read only, the root of this machine, or the folder that PORTSHIM_SYSTEM_ROOT names
 * (`make test-system` puts a system of its own there); above it a tmpfs that goes with the test. It has namespaces of
 * its own (processes, mounts, network, host name, IPC), and tests/system/boot.sh is its process 1, or systemd. Nothing
 * that is done in it is seen outside; when the test ends, by whatever, all its processes end. */
#ifndef PORTSHIM_TESTS_MACHINE_H
#define PORTSHIM_TESTS_MACHINE_H

#include "tests/lib/harness.h"

#define MACHINE_LIBRARY "/usr/local/lib/libportshim.so"
/* For copies of the probe `act`. */
#define MACHINE_POLICY "[rule act]\nprogram = act*\nports = 20000-20099\n"
#define MACHINE_SHOW "sh /machine/show.sh act"

struct machine {
	bool bare;          /* no library: all else is the same */
	const char *policy; /* the text of /etc/portshim.conf; NULL: there is none */
	const char *prepare; /* a line of sh(1) for the root before it starts, run there and bare; or NULL */
	bool systemd;       /* process 1 is systemd, and starts machine.target, which the test has to make */
	const char *missing; /* "proc", "shm" or "write": the machine has to do without; or NULL */
	/* results */
	pid_t pid;          /* of its process 1 */
	char place[64];     /* the tmpfs: root/, upper/, work/, console, with systemd also groups/ */
};

/* Starts the machine and its services (words of boot.sh: "sshd cron nginx postgres"), and waits until they are up. */
void machine_boot(struct machine *machine, const char *services);
/* Runs a line of sh(1) as root in it, with nothing but PATH, HOME and LC_ALL in the environment. */
void machine_run(const struct machine *machine, struct run *run, const char *line);
/* The same in parts, as run_start() and run_end(). */
void machine_start(const struct machine *machine, struct run *run, const char *line);
/* The port that the probe `act` is given: by a line of sh(1) that runs MACHINE_SHOW. What it says on standard error must
 * begin with `words`, or be empty. */
int machine_port(const struct machine *machine, const char *line, const char *words);
/* Whether MACHINE_POLICY gave it. */
bool machine_is_rules(int port);
/* The path, seen from outside, of a file in the machine; one of a few static buffers. */
const char *machine_path(const struct machine *machine, const char *path);
/* The text of a file in it, with room for 64 KiB; "" where there is none. One of two static buffers. */
const char *machine_text(const struct machine *machine, const char *path);
/* What is in the overlay and not below it, sorted, a line each; one of two static buffers. */
const char *machine_changes(const struct machine *machine);
/* Ends all its processes, and takes the root away. */
void machine_end(struct machine *machine);

#endif
