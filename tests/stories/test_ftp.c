/* test_ftp.c - FTP, where each file has a connection of its own, in either direction: a client leaves from the rule's
 * ports and listens on them (active), and so does a server (active, passive). */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/ftp.h"
#include "tests/lib/world.h"

#define POLICY "[rule ftp]\nports = 20000-20009\n"
#define URL "ftp://127.0.0.1:2121/file"
TestSuite(ftp, .init = world_enter, .fini = world_leave);

static bool is_ours(int port)
{
	return port >= 20000 && port <= 20009;
}

/* --- clients ------------------------------------------------------------------------------------------------ */

struct client {
	bool active;
	const char *argv[8];
};

static const struct client clients[] = {
	{ false, { "curl", "-sS", URL } },
	{ false, { "curl", "-sS", "--disable-epsv", URL } },
	{ true, { "curl", "-sS", "-P", "-", URL } },
	{ true, { "curl", "-sS", "-P", "-", "--disable-eprt", URL } },
	{ false, { "wget", "-q", "-O-", URL } },
	{ true, { "wget", "-q", "-O-", "--no-passive-ftp", URL } },
	{ false, { "tnftp", "-p", "-V", "-o", "-", URL } },
	{ true, { "tnftp", "-A", "-V", "-o", "-", URL } },
	{ false, { PYTHON, "-c", "import ftplib, sys; f = ftplib.FTP(); f.connect('127.0.0.1', 2121); f.login();"
	                         "f.retrbinary('RETR file', sys.stdout.buffer.write); f.quit()" } },
	{ true, { PYTHON, "-c", "import ftplib, sys; f = ftplib.FTP(); f.connect('127.0.0.1', 2121); f.login();"
	                        "f.set_pasv(False); f.retrbinary('RETR file', sys.stdout.buffer.write); f.quit()" } },
};

#define CLIENTS (sizeof(clients) / sizeof(clients[0]))

ParameterizedTestParameters(ftp, client)
{
	static int index[CLIENTS];

	for (size_t i = 0; i < CLIENTS; i++)
		index[i] = (int)i;
	return cr_make_param_array(int, index, CLIENTS);
}

static struct ftp_seen play(struct run *run, const struct client *client, int listener)
{
	struct ftp_seen seen;

	story_start(run, client->argv);
	story_tell(run, "");
	seen = ftp_serve(listener);
	run_end(run);
	cr_assert(strstr(run->out, FTP_WORDS), "%s%s", run->out, run->err);
	cr_assert_eq(seen.active, client->active);
	return seen;
}

ParameterizedTest(int *index, ftp, client)
{
	static struct run bare = { .bare = true }, run = { .policy = POLICY };
	const struct client *client = &clients[*index];
	int listener = server_tcp("127.0.0.1", 2121);
	struct ftp_seen seen = play(&bare, client, listener);

	cr_assert(is_ephemeral(seen.control) && is_ephemeral(seen.data), "bare, %d and %d", seen.control, seen.data);
	seen = play(&run, client, listener);
	cr_expect(is_ours(seen.control), "from port %d", seen.control);
	cr_expect(is_ours(seen.data), "%s port %d", seen.active ? "listens on" : "data from", seen.data);
	story_same(client->argv[0], &bare, &run);
}

/* --- servers ------------------------------------------------------------------------------------------------- */

#define PYFTPDLIB \
	"import sys\n" \
	"from pyftpdlib.authorizers import DummyAuthorizer\n" \
	"from pyftpdlib.handlers import FTPHandler\n" \
	"from pyftpdlib.servers import FTPServer\n" \
	"a = DummyAuthorizer(); a.add_anonymous(sys.argv[1]); FTPHandler.authorizer = a\n" \
	"FTPServer(('127.0.0.1', 2121), FTPHandler).serve_forever()\n"

static const char *make_files(void)
{
	const char *folder = file_path("files");

	shell("chmod 755 %s && mkdir -p %s %s && printf 'hello there\\n' >%s/file && chmod -R a+rX %s", file_path("."), folder,
	      file_path("empty"), folder, folder);
	return folder;
}

/* Both kinds of data connections have a port that the server leaves to the kernel. */
Test(ftp, pyftpdlib)
{
	const char *argv[] = { PYTHON, "-c", PYFTPDLIB, make_files(), NULL };
	static struct run bare = { .bare = true }, run = { .policy = POLICY };
	struct ftp_server_seen seen;

	daemon_start(&bare, argv, 2121);
	seen = ftp_fetch(2121);
	cr_assert(is_ephemeral(seen.active) && is_ephemeral(seen.passive), "bare, %d and %d", seen.active, seen.passive);
	daemon_stop(&bare);
	daemon_start(&run, argv, 2121);
	seen = ftp_fetch(2121);
	cr_expect(is_ours(seen.active), "active, from port %d", seen.active);
	cr_expect(is_ours(seen.passive), "passive, on port %d", seen.passive);
	daemon_stop(&run);
}

static const char *vsftpd_config(const char *more)
{
	char config[1024];

	snprintf(config, sizeof(config),
	         "listen=YES\nlisten_address=127.0.0.1\nlisten_port=2121\nbackground=NO\nanonymous_enable=YES\n"
	         "anon_root=%s\nsecure_chroot_dir=%s\nseccomp_sandbox=NO\nxferlog_enable=NO\n%s",
	         make_files(), file_path("empty"), more);
	return file_make("vsftpd.conf", config);
}

static struct ftp_server_seen ask_vsftpd(struct run *run, const char *more)
{
	const char *argv[] = { "vsftpd", vsftpd_config(more), NULL };
	struct ftp_server_seen seen;

	daemon_start(run, argv, 2121);
	seen = ftp_fetch(2121);
	daemon_stop(run);
	return seen;
}

#define PASSIVE "pasv_min_port=30000\npasv_max_port=30009\n"

/* vsftpd leaves the active port to the kernel, or names port 20; passive ports it names itself: those are kept. */
Test(ftp, vsftpd)
{
	static struct run bare = { .bare = true }, run = { .policy = POLICY };
	struct ftp_server_seen seen = ask_vsftpd(&bare, PASSIVE);

	cr_assert(is_ephemeral(seen.active), "bare, from port %d", seen.active);
	cr_assert(seen.passive >= 30000 && seen.passive <= 30009, "bare, on port %d", seen.passive);
	seen = ask_vsftpd(&run, PASSIVE);
	cr_expect(is_ours(seen.active), "active, from port %d", seen.active);
	cr_expect(seen.passive >= 30000 && seen.passive <= 30009, "passive, on port %d", seen.passive);
	story_same("vsftpd", &bare, &run);
	seen = ask_vsftpd(&run, "connect_from_port_20=YES\n" PASSIVE);
	cr_expect_eq(seen.active, 20);
}
