/* release.c - a port that the kernel chose for bind(address, 0) can be taken back before the socket is connected.
 *
 * So portshim lets a program see a port (getsockname) before there is a destination, and still gives the socket the
 * destination's own. A port that bind() named stays. */
#include "fact.h"

#define OTHER_PORT 20000

static bool is_stream(const char *kind)
{
	return kind[0] != 'u';
}

/* bind to `port`, listen where that is needed, disconnect, bind again; who has the port then? */
static void release(const char *kind, const char *ip, int port, const char *expected)
{
	char name[80];
	int fd = sock(kind), given;

	if (fd < 0)
		return;
	see("bind %s", do_bind(fd, ip, port));
	given = port_of(fd);
	if (is_stream(kind))
		see("listen %s", do_listen(fd));
	see("AF_UNSPEC %s", do_unspec(fd));
	see("bind again %s", do_bind(fd, ip, OTHER_PORT));
	see("%s", port_of(fd) == OTHER_PORT ? "the other port" : port_of(fd) == given ? "the same port" : "neither");
	snprintf(name, sizeof(name), "release %s %s %s", kind, ip, port ? "named" : "chosen");
	seen(name, expected);
	close(fd);
}

int main(void)
{
	static const char *const kinds[] = { "tcp4", "tcp6", "mptcp4", "mptcp6", "udp4", "udp6" };

	fact_begin();
	for (int i = 0; i < 6; i++) {
		const char *kind = kinds[i], *ip = strchr(kind, '6') ? "::1" : "127.0.0.5";
		bool stream = is_stream(kind);

		release(kind, ip, 0, stream ? "bind ok, listen ok, AF_UNSPEC ok, bind again ok, the other port" :
		                              "bind ok, AF_UNSPEC ok, bind again ok, the other port");
		release(kind, ip, 30000, stream ? "bind ok, listen ok, AF_UNSPEC ok, bind again EINVAL, the same port" :
		                                  "bind ok, AF_UNSPEC ok, bind again EINVAL, the same port");
	}
	return fact_end();
}
