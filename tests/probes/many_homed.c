/* many_homed.c - act.c, and what there is beyond the calls of every protocol: libsctp's functions, and DCCP's service code. An
 * address list is "ADDRESS,ADDRESS... PORT". */
#define ACT_GOES_FURTHER
#include "act.c"

#include <linux/dccp.h>
#include <netinet/sctp.h>
#include <pthread.h>
#include <stdbool.h>

#define ADDRESSES 4

/* The list at a word, packed as libsctp wants it. How many there are. */
static int list_of(int at, unsigned char *packed)
{
	char names[128], *rest = names, *name;
	int count = 0;

	snprintf(names, sizeof(names), "%s", given(at));
	while (count < ADDRESSES && (name = strtok_r(rest, ",", &rest))) {
		struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons((uint16_t)number(at + 1)) };
		struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = v4.sin_port };
		bool ipv4 = inet_pton(AF_INET, name, &v4.sin_addr) == 1;

		if (!ipv4 && inet_pton(AF_INET6, name, &v6.sin6_addr) != 1)
			return -1;
		memcpy(packed, ipv4 ? (void *)&v4 : (void *)&v6, ipv4 ? sizeof(v4) : sizeof(v6));
		packed += ipv4 ? sizeof(v4) : sizeof(v6);
		count++;
	}
	return count;
}

/* The association that was made last becomes a socket of its own. */
static int peel(int fd)
{
	struct { uint32_t count; sctp_assoc_t id[16]; } all = { .count = 0 };
	socklen_t len = sizeof(all);

	if (getsockopt(fd, IPPROTO_SCTP, SCTP_GET_ASSOC_ID_LIST, &all, &len) < 0)
		return -1;
	if (all.count == 0) {
		errno = ENOTCONN;
		return -1;
	}
	return sctp_peeloff(fd, all.id[all.count - 1]);
}

/* The addresses of a peer that has several are those of the message, and control data. */
static int send_with_control(int fd, void *packed, int count)
{
	struct iovec part = { .iov_base = (void *)"x", .iov_len = 1 };
	struct sctp_sndinfo info = { .snd_sid = 0 };

	return sctp_sendv(fd, &part, 1, packed, count, &info, sizeof(info), SCTP_SENDV_SNDINFO, 0);
}

/* Options are no cancellation points: who has been cancelled comes back. */
static int connect_cancelled(int fd, struct sockaddr *addresses, int count)
{
	int result;

	pthread_cancel(pthread_self());
	result = sctp_connectx(fd, addresses, count, NULL);
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	return result;
}

/* The option itself: how long the answer is said to be, where it was none of no length. */
static int length_of_answer(int fd, struct sockaddr *addresses, int count)
{
	struct sctp_getaddrs_old { sctp_assoc_t id; int size; struct sockaddr *addresses; } list = { 0, 0, addresses };
	socklen_t len = sizeof(list);

	list.size = count * (int)sizeof(struct sockaddr_in);
	return getsockopt(fd, IPPROTO_SCTP, SCTP_SOCKOPT_CONNECTX3, &list, &len) < 0 ? -1 : (int)len;
}

/* "bindx SLOT LIST", "connectx SLOT LIST", "cancelled SLOT LIST", "answer SLOT LIST", "sctp_sendmsg SLOT LIST", "sendv SLOT LIST",
 * "peeloff SLOT TO", "service SLOT N" */
static int step_further(const char *verb, int fd, long *result)
{
	unsigned char packed[ADDRESSES * sizeof(struct sockaddr_in6)] = { 0 };
	struct sockaddr *addresses = (struct sockaddr *)packed;
	int count = list_of(2, packed);

	errno = 0;
	if (strcmp(verb, "bindx") == 0) {
		*result = sctp_bindx(fd, addresses, count, SCTP_BINDX_ADD_ADDR);
	} else if (strcmp(verb, "connectx") == 0) {
		*result = sctp_connectx(fd, addresses, count, NULL);
	} else if (strcmp(verb, "cancelled") == 0) {
		*result = connect_cancelled(fd, addresses, count);
	} else if (strcmp(verb, "answer") == 0) {
		*result = length_of_answer(fd, addresses, count);
	} else if (strcmp(verb, "sctp_sendmsg") == 0) {
		*result = sctp_sendmsg(fd, "x", 1, addresses,
		                       addresses->sa_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6), 0, 0, 0, 0, 0);
	} else if (strcmp(verb, "sendv") == 0) {
		*result = send_with_control(fd, packed, count);
	} else if (strcmp(verb, "peeloff") == 0) {
		*result = slot[number(2) % SLOTS] = peel(fd);
		*result = *result < 0 ? -1 : 0;
	} else if (strcmp(verb, "service") == 0) {
		uint32_t code = htonl((uint32_t)number(2));

		*result = setsockopt(fd, SOL_DCCP, DCCP_SOCKOPT_SERVICE, &code, sizeof(code));
	} else {
		return 0;
	}
	return 1;
}
