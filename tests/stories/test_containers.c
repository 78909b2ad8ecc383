/* test_containers.c - tools/packaging/docker: its image, made by the command that its Dockerfile names, brings portshim by its compose file
 * into a container of an image that knows nothing of it. By podman, which needs no service. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/world.h"

#define PORT 7000 /* where the program of the image `erp` connects to, on its host */

static struct run run;

/* All that podman keeps is in memory, in one folder, and goes with the test. */
static void enter(void)
{
	char line[1200];

	world_enter();
	cr_assert(umount2("/sys/fs/cgroup", MNT_DETACH) == 0 && mount("cgroup2", "/sys/fs/cgroup", "cgroup2", 0, NULL) == 0);
	cr_assert(mkdir(file_path("c"), 0700) == 0 && mount("tmpfs", file_path("c"), "tmpfs", 0, "mode=755") == 0);
	snprintf(line, sizeof(line), "tests/stories/containers.sh $(dirname $(realpath %s)) %s 2>%s || ! cat %s >&2",
	         built("libportshim.so"), file_path("c"), file_path("said"), file_path("said"));
	cr_assert_eq(system(line), 0, "%s", line); /* it takes longer than a program of a test may */
}

static void leave(void)
{
	umount2(file_path("c"), MNT_DETACH);
	world_leave();
}

TestSuite(containers, .init = enter, .fini = leave, .timeout = 300);

/* A line of sh(1) in the folder with the compose file. */
static void does(const char *line)
{
	char text[600];
	const char *argv[] = { "/bin/sh", "-c", text, NULL };

	run = (struct run){ .bare = true, .slow = true };
	snprintf(text, sizeof(text), "cd %s && . ./env && { %s; }", file_path("c"), line);
	run_program(&run, argv);
	cr_assert(exited(&run, 0), "%s\n%s%s", line, run.out, run.err);
}

/* Where the program comes from, as the server sees it. */
static int comes_from(int server, const char *line)
{
	int port;

	does(line);
	port = answer_tcp(server, "");
	cr_expect_eq(port_of(&run, "name 0"), port);
	return port;
}

/* `docker compose` starts the second when the first has ended, which podman-compose does not wait for. */
static void an_image_that_knows_nothing_is_under_it(void)
{
	int server = server_tcp("0.0.0.0", PORT), port;

	file_make("c/portshim.conf", "[rule erp]\nports = 20000-20009\n");
	shell("chmod 644 %s", file_path("c/portshim.conf"));
	does("podman-compose up portshim");
	port = comes_from(server, "podman-compose up erp");
	cr_expect(port >= 20000 && port <= 20009, "%d", port);
	port = comes_from(server, "podman run --rm --network c_default erp");
	cr_expect(port < 20000 || port > 20009, "%d", port);
	does("podman run --rm -v c_portshim:/portshim:ro erp /portshim/bin/portshim version");
	cr_expect(strncmp(run.out, "portshim ", 9) == 0, "%s", run.out);
	close(server);
}

/* What runs keeps the file that it has. */
static void the_volume_is_filled_anew_under_programs_that_run(void)
{
	struct stat before, after;

	does("mkdir volume && podman run --rm --network none -v $PWD/volume:/portshim portshim");
	cr_assert_eq(stat(file_path("c/volume/lib/libportshim.so"), &before), 0);
	cr_assert_eq(link(file_path("c/volume/lib/libportshim.so"), file_path("c/volume/held")), 0);
	does("podman run --rm --network none -v $PWD/volume:/portshim portshim");
	cr_assert_eq(stat(file_path("c/volume/lib/libportshim.so"), &after), 0);
	cr_expect_neq(before.st_ino, after.st_ino);
	does("cmp volume/held volume/lib/libportshim.so && ls volume/lib volume/bin");
	cr_expect_str_eq(run.out, "volume/bin:\nportshim\n\nvolume/lib:\nlibportshim.so\n");
}

/* One test: the images take long. */
Test(containers, have_a_volume_with_portshim)
{
	an_image_that_knows_nothing_is_under_it();
	the_volume_is_filled_anew_under_programs_that_run();
}
