/* packages.c - makes the packages, and finds them. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/harness.h"
#include "tests/lib/packages.h"

void packages_make(const char *target)
{
	char build[600], line[1400];

	snprintf(build, sizeof(build), "%s", built(""));
	build[strlen(build) - 1] = '\0';
	snprintf(line, sizeof(line), "env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL flock %s/packages.lock make -s BUILD=%s %s >&2", build,
	         build, target);
	cr_assert_eq(system(line), 0, "%s", line); /* it takes longer than a program of a test may */
	cr_assert_eq(access(built("libportshim.so"), F_OK), 0, "their build has cleaned another one: %s", line);
}

const char *package(const char *pattern)
{
	static char buffer[4][PATH_MAX];
	static int next;
	char *path = buffer[next++ % 4];
	glob_t found;

	cr_assert_eq(glob(built(pattern), 0, NULL, &found), 0, "there is no %s", built(pattern));
	cr_assert_eq(found.gl_pathc, 1, "there are several: %s and %s", found.gl_pathv[0], found.gl_pathv[1]);
	cr_assert(realpath(found.gl_pathv[0], path));
	globfree(&found);
	return path;
}
