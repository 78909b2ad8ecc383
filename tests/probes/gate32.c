/* gate32.c - `gate32 CALL PORT`: one call to PORT of 127.0.0.1 through the gate for 32-bit programs (int 0x80), which a 64-bit
 * program may use as well: numbers, sizes and socketcall(2) are those of i386. Exit status 0: it went well; 1: it failed, and why is
 * printed; 77: there is no such gate. CALL: connect, sendto, sendmsg, sendmmsg; socketcall-connect, and so on. The
 * socket is made the same way. */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#ifdef __x86_64__

/* <asm/unistd_32.h> and <linux/net.h> */
enum { NR_GETPID = 20, NR_SOCKETCALL = 102, NR_SENDMMSG = 345, NR_CONNECT = 362, NR_SENDTO = 369, NR_SENDMSG = 370 };
enum { NR_SOCKET = 359, CALL_SOCKET = 1, CALL_CONNECT = 3, CALL_SENDTO = 11, CALL_SENDMSG = 16, CALL_SENDMMSG = 20 };

/* What the calls point to, where 4 bytes reach it. */
struct low {
	struct sockaddr_in to;
	char byte;
	struct { uint32_t base, length; } part;
	struct { uint32_t name, name_length, parts, count, control, control_length, flags, sent; } message;
	uint32_t arguments[6];
};

static sigjmp_buf back;

static void on_fault(int signal)
{
	(void)signal;
	siglongjmp(back, 1);
}

static int gate(int number, const uint32_t arguments[6])
{
	register long five __asm__("rdi") = arguments[4];
	register long six __asm__("r10") = arguments[5];
	long result = number;

	/* %ebp is the sixth argument, and not for the compiler to give. */
	__asm__ volatile("push %%rbp\n\tmov %%r10, %%rbp\n\tint $0x80\n\tpop %%rbp"
	                 : "+a"(result), "+r"(six)
	                 : "b"((long)arguments[0]), "c"((long)arguments[1]), "d"((long)arguments[2]), "S"((long)arguments[3]), "r"(five)
	                 : "memory", "r8", "r9", "r11", "cc");
	return (int)result;
}

static uint32_t at(const void *pointer)
{
	return (uint32_t)(uintptr_t)pointer;
}

static void prepare(struct low *low, int port)
{
	low->to = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	low->to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	low->byte = 'x';
	low->part.base = at(&low->byte);
	low->part.length = 1;
	low->message.name = at(&low->to);
	low->message.name_length = sizeof(low->to);
	low->message.parts = at(&low->part);
	low->message.count = 1;
}

static int make_call(struct low *low, const char *name, int fd)
{
	static const struct { const char *name; int number, call; } calls[] = {
		{ "connect", NR_CONNECT, CALL_CONNECT }, { "sendto", NR_SENDTO, CALL_SENDTO },
		{ "sendmsg", NR_SENDMSG, CALL_SENDMSG }, { "sendmmsg", NR_SENDMMSG, CALL_SENDMMSG },
	};
	uint32_t given[4][6] = {
		{ (uint32_t)fd, at(&low->to), sizeof(low->to) },
		{ (uint32_t)fd, at(&low->byte), 1, 0, at(&low->to), sizeof(low->to) },
		{ (uint32_t)fd, at(&low->message), 0 },
		{ (uint32_t)fd, at(&low->message), 1, 0 },
	};
	int by_number = strncmp(name, "socketcall-", 11) != 0;

	for (int i = 0; i < 4; i++) {
		uint32_t through[6] = { (uint32_t)calls[i].call, at(low->arguments) };

		if (strcmp(by_number ? name : name + 11, calls[i].name) != 0)
			continue;
		memcpy(low->arguments, given[i], sizeof(low->arguments));
		return by_number ? gate(calls[i].number, given[i]) : gate(NR_SOCKETCALL, through);
	}
	exit(2);
}

/* Its arguments stand at the end of what can be read. */
static int make_socket(struct low *low, const char *name)
{
	uint32_t given[6] = { AF_INET, strstr(name, "connect") ? SOCK_STREAM : SOCK_DGRAM, 0 };
	uint32_t *last = (uint32_t *)((char *)low + 4096) - 3;
	uint32_t through[6] = { CALL_SOCKET, at(last) };

	memcpy(last, given, 3 * sizeof(last[0]));
	return strncmp(name, "socketcall-", 11) != 0 ? gate(NR_SOCKET, given) : gate(NR_SOCKETCALL, through);
}

int main(int argc, char **argv)
{
	static const uint32_t nothing[6];
	struct low *low = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	int fd, result;

	if (argc != 3 || low == MAP_FAILED)
		return 2;
	signal(SIGSEGV, on_fault);
	if (sigsetjmp(back, 1) || gate(NR_GETPID, nothing) <= 0)
		return 77;
	prepare(low, atoi(argv[2]));
	munmap((char *)low + 4096, 4096);
	fd = make_socket(low, argv[1]);
	result = make_call(low, argv[1], fd);
	if (result < 0)
		printf("%s\n", strerrorname_np(-result));
	return result < 0;
}

#else

int main(void)
{
	return 77;
}

#endif
