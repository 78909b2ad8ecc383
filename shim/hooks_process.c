/* hooks_process.c - the calls that change the process: its network, its root, its user, what system calls it may make. */
#define _GNU_SOURCE
#include <sched.h>
#include <stdarg.h>
#include <sys/prctl.h>

#include "assign.h"
#include "hooks.h"
#include "kernel.h"
#include "session.h"
#include "table.h"

/* From here on sockets of this process may be of several network namespaces, each with its own range: ports are taken in
 * the way that is right in all of them. */
int hook_setns(int fd, int kind) EXPORT("setns");
int hook_setns(int fd, int kind)
{
	int result = real.setns(fd, kind);

	if (result == 0 && (kind == 0 || kind & CLONE_NEWNET)) {
		kernel_forgo_late();
		table_doubt();
	}
	return result;
}

int hook_unshare(int flags) EXPORT("unshare");
int hook_unshare(int flags)
{
	int result = real.unshare(flags);

	if (result == 0 && flags & CLONE_NEWNET) {
		kernel_forgo_late();
		table_doubt();
	}
	return result;
}

/* --- calls after which the policy may be out of sight: it is read before --------------------------------- */

int hook_chroot(const char *path) EXPORT("chroot");
int hook_chroot(const char *path)
{
	assign_prepare();
	return real.chroot(path);
}

int hook_setuid(uid_t user) EXPORT("setuid");
int hook_setuid(uid_t user)
{
	session_prepare();
	return real.setuid(user);
}

int hook_seteuid(uid_t user) EXPORT("seteuid");
int hook_seteuid(uid_t user)
{
	session_prepare();
	return real.seteuid(user);
}

int hook_setreuid(uid_t user, uid_t effective) EXPORT("setreuid");
int hook_setreuid(uid_t user, uid_t effective)
{
	session_prepare();
	return real.setreuid(user, effective);
}

int hook_setresuid(uid_t user, uid_t effective, uid_t saved) EXPORT("setresuid");
int hook_setresuid(uid_t user, uid_t effective, uid_t saved)
{
	session_prepare();
	return real.setresuid(user, effective, saved);
}

/* A sandbox begins with one of these, even where the filter itself comes by seccomp(2). What it forbids may be what the
 * kernel's settings are read with, again and again: no port is taken that depends on them. */
int hook_prctl(int option, ...) EXPORT("prctl");
int hook_prctl(int option, ...)
{
	unsigned long a, b, c, d;
	va_list list;

	va_start(list, option);
	a = va_arg(list, unsigned long);
	b = va_arg(list, unsigned long);
	c = va_arg(list, unsigned long);
	d = va_arg(list, unsigned long);
	va_end(list);
	if (option == PR_SET_NO_NEW_PRIVS || option == PR_SET_SECCOMP) {
		assign_prepare();
		kernel_forgo_questions();
	}
	return real.prctl(option, a, b, c, d);
}

#ifdef TIME64_NAMES
ALSO_BY_TIME64("__prctl_time64", prctl);
#endif
