/* secure.c - set-user-ID, set-group-ID and file capabilities, as the kernel weighs them.
 *
 * From cap_bprm_creds_from_file() in the kernel's security/commoncap.c: execution is secure if afterwards the
 * effective user or group is not the real one, or if a file capability counts for a user who is not root. The
 * bits themselves count only where the mount and the process allow it. */
#include "tools/secure.h"

#include <endian.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

/* Whether the file is effective on exec, or gives a capability that the bounding set lets through. */
static bool capabilities_count(const char *path)
{
	struct vfs_ns_cap_data data;
	ssize_t size = getxattr(path, "security.capability", &data, sizeof(data));
	if (size < (ssize_t)XATTR_CAPS_SZ_1)
		return false;
	if (le32toh(data.magic_etc) & VFS_CAP_FLAGS_EFFECTIVE)
		return true;
	int words = size < (ssize_t)XATTR_CAPS_SZ_2 ? VFS_CAP_U32_1 : VFS_CAP_U32_2;
	for (int capability = 0; capability < 32 * words; capability++) {
		uint32_t permitted = le32toh(data.data[capability / 32].permitted);
		if (permitted >> capability % 32 & 1 && prctl(PR_CAPBSET_READ, capability, 0, 0, 0) == 1)
			return true;
	}
	return false;
}

enum secure secure_execution(const char *path, const struct stat *status)
{
	struct statvfs mount;
	bool obeyed = statvfs(path, &mount) < 0 || !(mount.f_flag & ST_NOSUID);
	bool may_gain = obeyed && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1;
	uid_t user = may_gain && status->st_mode & S_ISUID ? status->st_uid : geteuid();
	/* Without the group's x bit, S_ISGID stands for mandatory locking. */
	bool sets_group = (status->st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP);
	gid_t group = may_gain && sets_group ? status->st_gid : getegid();

	if (user != getuid())
		return SECURE_USER;
	if (group != getgid())
		return SECURE_GROUP;
	if (obeyed && getuid() != 0 && capabilities_count(path))
		return SECURE_CAPABILITIES;
	return SECURE_NO;
}
