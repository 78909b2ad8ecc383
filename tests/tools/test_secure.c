/* test_secure.c - setuid, setgid and file capabilities: out of reach for one user, within it for another. Each verdict
 * is held against what the kernel and the loader do: the program is started, and says whether the library is in. */
#define _GNU_SOURCE
#include <criterion/criterion.h>

#include <grp.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>

#include "tests/tools/folder.h"
#include "tests/tools/spawn.h"
#include "tools/reach.h"

TestSuite(secure, .init = folder_make, .fini = folder_remove, .timeout = 60);

enum { STRANGER = 54321, OTHER = 54322 };

static void built_copy(const char *name, const char *path)
{
	char command[3 * PATH_MAX];
	put(command, sizeof(command), "cp '%s' '%s'", built(name), path);
	cr_assert_eq(system(command), 0);
}

static void need_root(void)
{
	struct statvfs mount;
	if (geteuid() != 0)
		folder_skip("only root can make files that give privileges");
	if (statvfs(folder, &mount) != 0 || mount.f_flag & ST_NOSUID)
		folder_skip("privileges of files do not count on this mount");
	built_copy("libportshim.so", inside("libportshim.so"));
	cr_assert_eq(chmod(inside("libportshim.so"), 0644), 0);
}

/* The verdict on a copy of run_show; 98 where the loader sees it otherwise. */
static enum reach_verdict own_verdict(const char *path)
{
	struct reach reach;
	reach_find(&reach, path);
	setenv("LD_PRELOAD", inside("libportshim.so"), 1);
	struct outcome outcome = spawn(path, (const char *const[]){ path, "library", NULL });
	unsetenv("LD_PRELOAD");
	bool is_in = strncmp(outcome.output, "library in\n", 11) == 0;
	bool foreseen = is_in == (reach.verdict == REACH_YES || reach.verdict == REACH_UNKNOWN);
	return foreseen ? reach.verdict : (enum reach_verdict)98;
}

/* The verdict that a user without privileges gets; `no_new` as PR_SET_NO_NEW_PRIVS. */
static enum reach_verdict stranger_verdict(const char *path, bool no_new)
{
	int status;
	pid_t child = fork();
	if (child == 0) {
		if (setgroups(0, NULL) || setresgid(STRANGER, STRANGER, STRANGER) ||
		    setresuid(STRANGER, STRANGER, STRANGER) || (no_new && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)))
			_exit(99);
		_exit((int)own_verdict(path));
	}
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) != 99);
	return (enum reach_verdict)WEXITSTATUS(status);
}

/* run_show with owner and mode. */
static const char *owned_program(const char *name, uid_t user, gid_t group, mode_t mode)
{
	const char *path = inside(name);
	built_copy("tests/probes/run_show", path);
	cr_assert_eq(chown(path, user, group), 0);
	cr_assert_eq(chmod(path, mode), 0);
	return path;
}

Test(secure, setuid_counts_for_another_user_only)
{
	need_root();
	const char *roots = owned_program("roots", 0, 0, 04755);
	const char *strangers = owned_program("strangers", STRANGER, 0, 04755);
	cr_expect_eq(own_verdict(roots), REACH_YES);
	cr_expect_eq(own_verdict(strangers), REACH_SETUID);
	cr_expect_eq(stranger_verdict(roots, false), REACH_SETUID);
	cr_expect_eq(stranger_verdict(strangers, false), REACH_YES);
	cr_expect_eq(stranger_verdict(roots, true), REACH_YES);
}

Test(secure, setuid_shows_in_a_file_that_cannot_be_read)
{
	need_root();
	cr_expect_eq(stranger_verdict(owned_program("roots", 0, 0, 04711), false), REACH_SETUID);
	cr_expect_eq(stranger_verdict(owned_program("plain", 0, 0, 0711), false), REACH_UNKNOWN);
}

Test(secure, setgid_counts_for_another_group_and_with_its_x_bit)
{
	need_root();
	cr_expect_eq(own_verdict(owned_program("group", 0, OTHER, 02755)), REACH_SETGID);
	cr_expect_eq(own_verdict(owned_program("own", 0, getgid(), 02755)), REACH_YES);
	cr_expect_eq(own_verdict(owned_program("lock", 0, OTHER, 02745)), REACH_YES);
}

Test(secure, a_setuid_script_gives_nothing)
{
	need_root();
	char text[PATH_MAX + 8];
	put(text, sizeof(text), "#!%s library\n", owned_program("show", 0, 0, 0755));
	const char *script = text_make("script", text, 0755);
	cr_assert_eq(chmod(script, 04755), 0);
	cr_expect_eq(stranger_verdict(script, false), REACH_YES);
}

static void capability_add(const char *path, uint32_t flags)
{
	struct vfs_cap_data data = { .magic_etc = VFS_CAP_REVISION_2 | flags };
	data.data[0].permitted = 1U << CAP_NET_BIND_SERVICE;
	if (setxattr(path, "security.capability", &data, sizeof(data), 0) != 0)
		folder_skip("no file capabilities here");
}

Test(secure, file_capabilities_count_for_all_but_root)
{
	need_root();
	const char *path = owned_program("effective", 0, 0, 0755);
	capability_add(path, VFS_CAP_FLAGS_EFFECTIVE);
	cr_expect_eq(own_verdict(path), REACH_YES);
	cr_expect_eq(stranger_verdict(path, false), REACH_CAPABILITIES);
	cr_expect_eq(stranger_verdict(path, true), REACH_CAPABILITIES);
	path = owned_program("permitted", 0, 0, 0755);
	capability_add(path, 0);
	cr_expect_eq(stranger_verdict(path, false), REACH_CAPABILITIES);
}
