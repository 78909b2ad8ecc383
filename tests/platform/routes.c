/* routes.c - what connect() of a datagram socket says of the route to an address: it sends nothing, so it is a question. */
#include "fact.h"

static void ip(const char *words)
{
	char line[160];
	snprintf(line, sizeof(line), "ip %s", words);
	if (system(line) != 0)
		broken(line);
}

static const char *route(const char *kind, const char *address)
{
	int fd = sock(kind);
	do_set(fd, SOL_SOCKET, SO_BROADCAST, 1);
	const char *said = do_connect(fd, address, 9);
	close(fd);
	return said;
}

static const char *first_field(const char *path)
{
	static char field[64];
	FILE *file = fopen(path, "re");
	field[0] = '\0';
	if (!file || fscanf(file, "%*[^\n] %63s", field) != 1) /* behind the heading */
		field[0] = '\0';
	if (file)
		fclose(file);
	return field;
}

int main(void)
{
	fact_begin();
	fact("route none", "ENETUNREACH", "%s", route("udp4", "10.1.0.1"));
	fact("route none ipv6", "ENETUNREACH", "%s", route("udp6", "2001:db8::1"));
	ip("link add one type veth peer name two");
	ip("link set one up");
	ip("link set two up");
	ip("addr add 10.1.0.2/24 dev one");
	int listener = sock("udp4");
	fact("bind own address", "ok", "%s", do_bind(listener, "10.1.0.2", 0));
	close(listener);
	listener = sock("udp4");
	fact("bind another's address", "EADDRNOTAVAIL", "%s", do_bind(listener, "10.1.0.3", 0));
	close(listener);
	fact("route on the link", "ok", "%s", route("udp4", "10.1.0.1"));
	fact("route broadcast", "ok", "%s", route("udp4", "10.1.0.255"));
	fact("proc route", "one", "%s", first_field("/proc/self/net/route"));
	ip("route add blackhole 10.2.0.0/16");
	ip("route add unreachable 10.3.0.0/16");
	ip("route add prohibit 10.4.0.0/16");
	fact("route blackhole", "EINVAL", "%s", route("udp4", "10.2.0.1"));
	fact("route unreachable", "EHOSTUNREACH", "%s", route("udp4", "10.3.0.1"));
	fact("route prohibit", "EACCES", "%s", route("udp4", "10.4.0.1"));
	ip("-6 route add blackhole 2001:db8:2::/48");
	ip("-6 route add unreachable 2001:db8:3::/48");
	ip("-6 route add prohibit 2001:db8:4::/48");
	fact("route blackhole ipv6", "EINVAL", "%s", route("udp6", "2001:db8:2::1"));
	fact("route unreachable ipv6", "EHOSTUNREACH", "%s", route("udp6", "2001:db8:3::1"));
	fact("route prohibit ipv6", "EACCES", "%s", route("udp6", "2001:db8:4::1"));
	sysctl_set("ipv6/conf/all/disable_ipv6", "1");
	fact("route with ipv6 off", "EADDRNOTAVAIL", "%s", route("udp6", "2001:db8::1"));
	fact("loopback with ipv6 off", "EADDRNOTAVAIL", "%s", route("udp6", "::1"));
	return fact_end();
}
