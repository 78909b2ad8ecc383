/* reserved.c - how net.ipv4.ip_local_reserved_ports is written and read where the list is long: what tools/reserve.c and
 * config/locate.c rely on. */
#include "fact.h"

#define SETTING "/proc/sys/net/ipv4/ip_local_reserved_ports"

static char list[1 << 16], back[1 << 16];

/* Every second port from 10000 to 19998: 29,999 bytes. */
static size_t list_make(void)
{
	size_t at = 0;

	for (int port = 10000; port < 20000; port += 2)
		at += (size_t)snprintf(list + at, sizeof(list) - at, "%s%d", at ? "," : "", port);
	return at;
}

static int open_setting(int flags)
{
	int fd = open(SETTING, flags | O_CLOEXEC);

	if (fd < 0)
		broken(SETTING);
	return fd;
}

/* What one read of `room` bytes brings; *more: what the next brings. */
static long read_back(size_t room, long *more)
{
	int fd = open_setting(O_RDONLY);
	long n = read(fd, back, room);

	*more = read(fd, back + (n > 0 ? n : 0), sizeof(back) - (size_t)(n > 0 ? n : 0));
	close(fd);
	back[n > 0 ? n : 0] = '\0';
	return n;
}

int main(void)
{
	long more, length;
	int fd;

	fact_begin();
	length = (long)list_make();
	fd = open_setting(O_WRONLY);
	long first = write(fd, list, (size_t)length);
	fact("one write takes less than a page", "yes, up to a comma",
	     "%s, %s", first > 4000 && first <= 4095 ? "yes" : "no", list[first - 1] == ',' ? "up to a comma" : "not");
	for (long n, at = first; at < length; at += n)
		if ((n = write(fd, list + at, (size_t)(length - at))) <= 0)
			broken("writing the rest");
	close(fd);

	read_back(sizeof(back) / 2, &more);
	back[strcspn(back, "\n")] = '\0';
	fact("further writes on the descriptor add to it", "the whole list", "%s",
	     strcmp(back, list) == 0 ? "the whole list" : back);

	long n = read_back(8192, &more);
	fact("a read that is too short gets no second part", "8192 bytes, then 0", "%ld bytes, then %ld", n, more);

	fd = open_setting(O_WRONLY);
	if (write(fd, "12000", 5) != 5)
		broken("writing one port");
	close(fd);
	read_back(sizeof(back) / 2, &more);
	fact("another descriptor's write replaces it", "12000\n", "%s", back);
	return fact_end();
}
