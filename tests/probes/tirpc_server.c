/* tirpc_server.c - a server by libtirpc: `tirpc_server PROGRAM VERSION` registers with rpcbind on TCP and UDP, of
 * both families, prints "NETID PORT" of each, "paused" when all are there, and then "NETID from PORT" of each call.
 * It answers four zero bytes to all but the null procedure: an empty list, or 0. */
#include <netinet/in.h>
#include <rpc/rpc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int port_of(const struct sockaddr *name)
{
	struct sockaddr_in copy; /* the port of IPv6 lies at the same place */

	memcpy(&copy, name, sizeof(copy));
	return ntohs(copy.sin_port);
}

static int port_bound(int fd)
{
	struct sockaddr_in6 name;
	socklen_t len = sizeof(name);

	return getsockname(fd, (struct sockaddr *)&name, &len) < 0 ? -1 : port_of((struct sockaddr *)&name);
}

static bool_t nothing(XDR *xdr, ...)
{
	(void)xdr;
	return TRUE;
}

static void answer(struct svc_req *request, SVCXPRT *transport)
{
	int none = 0;

	printf("%s from %d\n", transport->xp_netid, port_of(transport->xp_rtaddr.buf));
	fflush(stdout);
	if (request->rq_proc == 0)
		svc_sendreply(transport, nothing, NULL);
	else
		svc_sendreply(transport, (xdrproc_t)xdr_int, (char *)&none);
}

int main(int argc, char **argv)
{
	static const char *const netids[] = { "tcp", "udp", "tcp6", "udp6" };
	rpcprog_t program = argc == 3 ? strtoul(argv[1], NULL, 10) : 0;
	rpcvers_t version = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;

	for (int i = 0; i < 4; i++) {
		struct netconfig *config = getnetconfigent(netids[i]);
		SVCXPRT *transport = config ? svc_tp_create(answer, program, version, config) : NULL;

		if (!transport)
			return 1;
		printf("%s %d\n", netids[i], port_bound(transport->xp_fd));
		freenetconfigent(config);
	}
	printf("paused\n");
	fflush(stdout);
	svc_run();
	return 1;
}
