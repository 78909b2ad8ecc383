/* given.h - what the front was given by whoever started it, and what of that is the program's alone.
 *
 * The program is to find all that it would find without us: its signals, its timers, its descriptors. The front and the
 * supervisor stand around it and must not be felt: a descriptor that they keep would keep a pipe open that the program
 * has closed. What they open themselves is O_CLOEXEC, and so told from what was given. */
#ifndef PORTSHIM_TOOLS_SUPERVISE_GIVEN_H
#define PORTSHIM_TOOLS_SUPERVISE_GIVEN_H

#include <signal.h>
#include <sys/time.h>

#define GIVEN_TIMERS 3

struct given {
	sigset_t mask;
	struct sigaction on_child;
	struct itimerval timers[GIVEN_TIMERS];
	int death;     /* the signal to get when the parent ends, PR_SET_PDEATHSIG; 0 */
	int subreaper;
};

/* Puts aside what would be lost by fork(2), or hinder: from here on all signals are blocked, no timer runs, ended
 * children are to be waited for, and orphans of theirs, too. */
void given_take(struct given *given);

/* In the process that becomes the program: all of it again. */
void given_restore(const struct given *given);

/* Closes the descriptors that were given, but for standard error; /dev/null takes the place of 0 and 1. */
void given_close(void);

/* Puts /dev/null in a descriptor's place. */
void descriptor_silence(int fd);

/* A descriptor of our own, but not in the place of a standard one that was given closed. -errno passes. */
int descriptor_own(int fd);
int pipe_own(int ends[2]);

/* As pidfd_open(2), and its kin: -errno. */
int process_open(pid_t pid);
int process_descriptor(int process, int fd);
int process_signal(int process, int signal, const siginfo_t *info);

#endif
