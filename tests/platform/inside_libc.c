/* inside_libc.c - which calls libc makes inside itself, where no library that comes before it is asked.
 *
 * This program defines the names that portshim interposes, as a preloaded library does, and notes who calls them.
 * What libc's own functions do shows here only where they go by those names: never. So the queries of the resolver,
 * the sockets of rcmd, rexec, rresvport and bindresvport, and those of the old RPC clients leave from where libc
 * says; those that are to leave from elsewhere must be interposed as a whole. syslog and getifaddrs have sockets, but
 * no ports. */
#include "fact.h"

#include <dlfcn.h>
#include <ifaddrs.h>
#include <netdb.h>
#include <resolv.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <syslog.h>

static int calls;

/* The kernel, for who calls us by name. */
#define NOTED(name, parameters, ...)                                                                                    \
	int name parameters;                                                                                            \
	int name parameters                                                                                             \
	{                                                                                                               \
		calls++;                                                                                                \
		return (int)syscall(SYS_##name, __VA_ARGS__);                                                           \
	}

#undef sendmmsg
NOTED(socket, (int domain, int type, int protocol), domain, type, protocol)
NOTED(connect, (int fd, const struct sockaddr *addr, socklen_t len), fd, addr, len)
NOTED(bind, (int fd, const struct sockaddr *addr, socklen_t len), fd, addr, len)
NOTED(listen, (int fd, int backlog), fd, backlog)
NOTED(close, (int fd), fd)
NOTED(sendmmsg, (int fd, struct mmsghdr *messages, unsigned int count, int flags), fd, messages, count, flags)

ssize_t sendto(int fd, const void *data, size_t size, int flags, const struct sockaddr *addr, socklen_t len)
{
	calls++;
	return syscall(SYS_sendto, fd, data, size, flags, addr, len);
}

ssize_t send(int fd, const void *data, size_t size, int flags)
{
	calls++;
	return syscall(SYS_sendto, fd, data, size, flags, NULL, 0);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
	calls++;
	return syscall(SYS_sendmsg, fd, message, flags);
}

/* --- what libc is asked to do ------------------------------------------------------------------------------- */

static char host[] = "127.0.0.1", nowhere[] = "203.0.113.9"; /* there is no route to it */

static void do_getaddrinfo(void)
{
	struct addrinfo *found = NULL;

	if (getaddrinfo("there.example", "9", NULL, &found) == 0)
		freeaddrinfo(found);
}

/* Two addresses, which libc sorts by the routes that its own sockets find. */
static void do_sort(void)
{
	struct addrinfo *found = NULL;

	if (getaddrinfo(NULL, "9", NULL, &found) == 0)
		freeaddrinfo(found);
}

static void do_gethostbyname(void)
{
	gethostbyname("there.example");
}

static void do_getnameinfo(void)
{
	struct sockaddr_in name = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0xc0000201) };
	char text[NI_MAXHOST];

	getnameinfo((struct sockaddr *)&name, sizeof(name), text, sizeof(text), NULL, 0, NI_NAMEREQD);
}

static void do_res_query(void)
{
	unsigned char answer[512];

	res_query("there.example", 1, 1, answer, sizeof(answer));
}

static void do_syslog(void)
{
	syslog(LOG_DEBUG, "a fact of platform/inside_libc.c");
	closelog();
}

static void do_getifaddrs(void)
{
	struct ifaddrs *found = NULL;

	if (getifaddrs(&found) == 0)
		freeifaddrs(found);
}

static void do_bindresvport(void)
{
	int fd = (int)syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);

	bindresvport(fd, NULL);
	syscall(SYS_close, fd);
}

static void do_rresvport(void)
{
	int port = 1000;

	syscall(SYS_close, rresvport(&port));
}

/* What it says of its failure is no fact. */
static void in_silence(int (*call)(char **at))
{
	int kept = dup(STDERR_FILENO), null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	char *at = nowhere;

	dup2(null, STDERR_FILENO);
	call(&at);
	dup2(kept, STDERR_FILENO);
	syscall(SYS_close, kept);
	syscall(SYS_close, null);
}

static int call_rcmd(char **at)
{
	return rcmd(at, htons(514), "me", "you", "command", NULL);
}

static int call_rexec(char **at)
{
	return rexec(at, htons(512), "user", "password", "command", NULL);
}

static void do_rcmd(void)
{
	in_silence(call_rcmd);
}

static void do_rexec(void)
{
	in_silence(call_rexec);
}

/* glibc has it for programs that were linked before 2.32. */
static void do_clnttcp(void)
{
	struct sockaddr_in name = { .sin_family = AF_INET, .sin_port = htons(ONE), .sin_addr.s_addr = inet_addr(host) };
	void *(*create)(struct sockaddr_in *, unsigned long, unsigned long, int *, unsigned, unsigned);
	void *found = dlvsym(RTLD_DEFAULT, "clnttcp_create", "GLIBC_2.2.5");
	int fd = -1;

	if (!found)
		return;
	memcpy(&create, &found, sizeof(found));
	create(&name, 100000, 2, &fd, 0, 0);
}

/* In the other direction: our own names are what a program's calls come to. */
static void do_by_name(void)
{
	close(socket(AF_INET, SOCK_DGRAM, 0));
}

static void asked(const char *name, void (*what)(void), const char *expected)
{
	char seen_calls[32];

	calls = 0;
	what();
	snprintf(seen_calls, sizeof(seen_calls), "%s", calls ? "by name" : "inside libc");
	fact(name, expected, "%s", seen_calls);
}

/* A resolver whose server refuses at once. */
static void resolver_here(void)
{
	char path[] = "/tmp/portshim-fact-XXXXXX";
	int fd = mkstemp(path);

	if (fd < 0 || write(fd, "nameserver 127.0.0.1\n", 21) != 21 || unshare(CLONE_NEWNS) < 0 ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 || mount(path, "/etc/resolv.conf", NULL, MS_BIND, NULL) < 0)
		broken("a resolver of one's own");
	unlink(path);
	syscall(SYS_close, fd);
}

int main(void)
{
	fact_begin();
	serve("tcp4", ONE);
	resolver_here();
	asked("a program's own socket", do_by_name, "by name");
	asked("getaddrinfo", do_getaddrinfo, "inside libc");
	asked("getaddrinfo, sorting", do_sort, "inside libc");
	asked("gethostbyname", do_gethostbyname, "inside libc");
	asked("getnameinfo", do_getnameinfo, "inside libc");
	asked("res_query", do_res_query, "inside libc");
	asked("syslog", do_syslog, "inside libc");
	asked("getifaddrs", do_getifaddrs, "inside libc");
	asked("bindresvport", do_bindresvport, "inside libc");
	asked("rresvport", do_rresvport, "inside libc");
	asked("rcmd", do_rcmd, "inside libc");
	asked("rexec", do_rexec, "inside libc");
	asked("clnttcp_create", do_clnttcp, "inside libc");
	return fact_end();
}
