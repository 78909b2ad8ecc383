/* real.c - finding the functions behind ours. */
#define _GNU_SOURCE
#include "real.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bind.h"

#ifdef SYS_fcntl64
#define SYS_FCNTL SYS_fcntl64
#else
#define SYS_FCNTL SYS_fcntl
#endif
#ifndef SYS_close_range
#define SYS_close_range 436 /* Linux 5.9; the same everywhere */
#endif
#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438 /* Linux 5.6 */
#endif
#ifndef SYS_recvmmsg
#define SYS_recvmmsg SYS_recvmmsg_time64
#endif
/* On i386 the plain names are of the days when a user was 16 bits wide. */
#ifdef SYS_setuid32
#define SYS_SETUID SYS_setuid32
#define SYS_SETREUID SYS_setreuid32
#define SYS_SETRESUID SYS_setresuid32
#else
#define SYS_SETUID SYS_setuid
#define SYS_SETREUID SYS_setreuid
#define SYS_SETRESUID SYS_setresuid
#endif

/* dlsym yields an object pointer; POSIX has it converted through memory. */
static void resolve_one(void **pointer, const char *name)
{
	void *found = dlsym(RTLD_NEXT, name);

	if (found)
		__atomic_store_n(pointer, found, __ATOMIC_RELEASE);
}

static void resolve_rare(void **pointer, const char *name)
{
	int saved = errno;

	resolve_one(pointer, name);
	errno = saved;
}

/* The first call through a pointer that nobody has resolved lands here. If the pointer still leads here after
 * resolving (dlsym calls us from within, or libc lacks the name), the kernel is asked directly. */
#define FIRST(result, name, parameters, arguments, raw, resolve)                                             \
	static result first_##name parameters                                                                  \
	{                                                                                                      \
		resolve;                                                                                       \
		if (real.name != first_##name)                                                                 \
			return real.name arguments;                                                            \
		return (result)(raw);                                                                          \
	}
#define HOOK(result, name, parameters, arguments, raw)                                                       \
	FIRST(result, name, parameters, arguments, raw, real_resolve())
#define RARE(result, name, parameters, arguments, raw)                                                       \
	FIRST(result, name, parameters, arguments, raw, resolve_rare((void **)&real.name, #name))
#include "hooks.def"

struct real real = {
#define HOOK(result, name, parameters, arguments, raw) .name = first_##name,
#include "hooks.def"
};

static atomic_flag resolving = ATOMIC_FLAG_INIT;

void real_stay_raw(void)
{
	static const struct real unresolved = {
#define HOOK(result, name, parameters, arguments, raw) .name = first_##name,
#include "hooks.def"
	};

	atomic_flag_test_and_set(&resolving);
	real = unresolved;
}

void real_resolve(void)
{
	int saved = errno;

	if (atomic_flag_test_and_set(&resolving))
		return;
#define HOOK(result, name, parameters, arguments, raw) resolve_one((void **)&real.name, #name);
#define RARE(result, name, parameters, arguments, raw)
#include "hooks.def"
	atomic_flag_clear(&resolving);
	errno = saved;
}

bool real_has_libtirpc(void)
{
	if (real.bindresvport_sa == first_bindresvport_sa)
		resolve_rare((void **)&real.bindresvport_sa, "bindresvport_sa");
	return real.bindresvport_sa != first_bindresvport_sa;
}
