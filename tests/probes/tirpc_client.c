/* tirpc_client.c - a client by libtirpc: `tirpc_client HOST PROGRAM VERSION NETID none|sys` calls procedure 1 twice
 * and prints the answers. */
#include <rpc/rpc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool_t nothing(XDR *xdr, ...)
{
	(void)xdr;
	return TRUE;
}

int main(int argc, char **argv)
{
	struct timeval limit = { 30, 0 };
	struct netconfig *config;
	CLIENT *client;

	if (argc != 6)
		return 2;
	config = getnetconfigent(argv[4]);
	client = clnt_tp_create(argv[1], strtoul(argv[2], NULL, 10), strtoul(argv[3], NULL, 10), config);
	if (!client) {
		clnt_pcreateerror(argv[1]);
		return 1;
	}
	if (strcmp(argv[5], "sys") == 0)
		client->cl_auth = authunix_create_default();
	for (int i = 0; i < 2; i++) {
		int answer = -1;
		enum clnt_stat status = clnt_call(client, 1, nothing, NULL, (xdrproc_t)xdr_int, (char *)&answer, limit);

		if (status != RPC_SUCCESS)
			clnt_perror(client, argv[1]);
		else
			printf("answer %d\n", answer);
	}
	clnt_destroy(client);
	freenetconfigent(config);
	return 0;
}
