/* cares_lookup.c - a program that asks the DNS by c-ares, as many servers and runtimes do: `cares_lookup SERVER NAME
 * udp|tcp` prints the address. */
#include <ares.h>
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/select.h>

static void on_answer(void *arg, int status, int timeouts, struct hostent *host)
{
	char text[INET6_ADDRSTRLEN];

	(void)arg;
	(void)timeouts;
	if (status == ARES_SUCCESS)
		puts(inet_ntop(host->h_addrtype, host->h_addr_list[0], text, sizeof(text)));
	else
		puts(ares_strerror(status));
}

static void wait_for_answer(ares_channel channel)
{
	struct timeval limit = { 30, 0 }, left;
	fd_set reads, writes;
	int n;

	for (;;) {
		FD_ZERO(&reads);
		FD_ZERO(&writes);
		n = ares_fds(channel, &reads, &writes);
		if (n == 0)
			return;
		select(n, &reads, &writes, NULL, ares_timeout(channel, &limit, &left));
		ares_process(channel, &reads, &writes);
	}
}

int main(int argc, char **argv)
{
	struct ares_options options = { .flags = ARES_FLAG_NOALIASES };
	ares_channel channel;

	if (argc != 4)
		return 2;
	if (strcmp(argv[3], "tcp") == 0)
		options.flags |= ARES_FLAG_USEVC;
	if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS ||
	    ares_init_options(&channel, &options, ARES_OPT_FLAGS) != ARES_SUCCESS ||
	    ares_set_servers_csv(channel, argv[1]) != ARES_SUCCESS)
		return 1;
	ares_gethostbyname(channel, argv[2], AF_INET, on_answer, NULL);
	wait_for_answer(channel);
	ares_destroy(channel);
	ares_library_cleanup();
	return 0;
}
