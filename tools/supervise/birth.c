/* birth.c - making the sockets of supervised programs. */
#define _GNU_SOURCE
#include "tools/supervise/birth.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shim/bind.h"
#include "shim/log.h"
#include "shim/session.h"
#include "shim/sock.h"
#include "tools/supervise/maker.h"
#include "tools/supervise/syscalls.h"

#ifndef SECCOMP_ADDFD_FLAG_SEND
#define SECCOMP_ADDFD_FLAG_SEND (1UL << 1) /* Linux 5.14 */
#endif

/* The protocols whose sockets the kernel is seen to keep within their range. */
#define HELD (PROTOCOL_TCP | PROTOCOL_UDP | PROTOCOL_UDPLITE)

static bool is_in_force;

/* --- whether it is the way ---------------------------------------------------------------------------------------------- */

static struct port_range range_of(const struct port_set *set)
{
	return (struct port_range){ ports_nth(set, 0, NULL), ports_nth(set, set->count - 1, NULL) };
}

/* The settings may have changed since the start. */
static bool is_held(const struct kernel *kernel, const struct port_set *set)
{
	return ports_without_holes_inside(set, kernel->ephemeral) && maker_can_hold(kernel, range_of(set));
}

static bool asks_for_more(const struct rule *rule)
{
	return rule->action != ACTION_ASSIGN || rule->n_to || rule->user.n || rule->group.n || rule->source.family;
}

static bool is_for_all(const struct rule *rule)
{
	return rule->calls == CALL_ANY && rule->families == (FAMILY_IPV4 | FAMILY_IPV6);
}

static bool rule_fits(const struct rule *rule, const struct kernel *kernel)
{
	return is_for_all(rule) && !asks_for_more(rule) && rule->choose == CHOOSE_KERNEL &&
	       rule->share == SHARE_DESTINATION && rule->exhausted == EXHAUSTED_FAIL && is_held(kernel, &rule->ports);
}

static bool kernel_has_ranges(void)
{
	uint32_t none = 0;
	int fd = (int)syscall(SYS_socket, AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool has = fd >= 0 && setsockopt(fd, IPPROTO_IP, IP_LOCAL_PORT_RANGE, &none, sizeof(none)) == 0;

	if (fd >= 0)
		close(fd);
	return has;
}

static bool is_unbound(int fd)
{
	int domain = 0;
	socklen_t len = sizeof(domain);

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && family_is_inet(domain) && bind_port_of(fd) == 0;
}

/* In doubt there is one. */
static bool was_given_unbound(void)
{
	DIR *folder = opendir("/proc/self/fd");
	bool given = !folder;

	for (struct dirent *entry; !given && (entry = readdir(folder));)
		given = is_unbound((int)strtol(entry->d_name, NULL, 10));
	if (folder)
		closedir(folder);
	return given;
}

bool birth_fits(const struct policy *policy, const struct kernel *kernel)
{
	if (policy->rules == 0 || policy->audit_path || log_wants(LOG_LEVEL_INFO))
		return false;
	for (uint32_t i = 0; i < policy->rules; i++)
		if (!rule_fits(&policy->rule[i], kernel))
			return false;
	return true;
}

bool birth_is_right(const struct policy *policy, const struct kernel *kernel)
{
	is_in_force = birth_fits(policy, kernel) && kernel_has_ranges() && !was_given_unbound();
	return is_in_force;
}

bool birth_is_in_force(void)
{
	return is_in_force;
}

/* --- a socket -------------------------------------------------------------------------------------------------------------- */

/* One bit of enum protocol, 0 for sockets without ports and for what the kernel will refuse. */
static uint8_t protocol_of(const struct birth *birth)
{
	struct sock sock;

	sock_classify(&sock, birth->domain, birth->type, birth->protocol);
	return sock.protocol;
}

static const struct rule *rule_for(const struct birth *birth, const struct asking *asking)
{
	const struct session *session = asking->caller.session;
	const struct question question = {
		.calls = CALL_CONNECT,
		.protocol = protocol_of(birth),
		.family = birth->domain == AF_INET6 ? FAMILY_IPV6 : FAMILY_IPV4,
	};
	const struct rule *rule = question.protocol ? view_match(&session->view, &question) : NULL;

	return rule ? view_match(&session_renewed(session, rule)->view, &question) : NULL;
}

static const char *words_for(int error)
{
	switch (error) {
	case -EXDEV:
		return "its network namespace cannot be entered from here";
	case -ERANGE:
		return "ip_local_port_range and ip_local_reserved_ports do not leave its ports to the kernel";
	case -EPROTONOSUPPORT:
		return "SCTP and DCCP choose ports by themselves";
	case -EACCES:
		return "it has a security label of its own";
	}
	return "its user's identity cannot be taken on";
}

static int refuse(struct client *client, int error)
{
	char words[384];
	struct text text = TEXT_OVER(words);

	if (log_wants(LOG_LEVEL_ERROR) && client_is_told(client, TOLD_REFUSED)) {
		log_begin(&text);
		text_add(&text, "it is refused sockets: ");
		text_add(&text, words_for(error));
		text_add(&text, "; another `choose` than kernel does without that");
		log_send(LOG_LEVEL_ERROR, &text);
	}
	return -EACCES;
}

int birth_hand_over(int listener, uint64_t id, int fd, unsigned int flags, struct verdict *verdict)
{
	struct seccomp_notif_addfd add = {
		.id = id,
		.flags = SECCOMP_ADDFD_FLAG_SEND,
		.srcfd = (uint32_t)fd,
		.newfd_flags = flags,
	};

	verdict->answered = ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add) >= 0;
	return verdict->answered ? 0 : -errno;
}

static int make(const struct birth *birth, const struct rule *rule, struct asking *asking, struct verdict *verdict)
{
	const struct newborn newborn = { birth->domain, birth->type, birth->protocol, range_of(&rule->ports) };
	int error = 0, fd;

	if (client_is_labelled(asking->client))
		return refuse(asking->client, -EACCES);
	if (!is_held(kernel_now(), &rule->ports))
		return refuse(asking->client, -ERANGE);
	fd = maker_socket(asking->client, &newborn);
	if (fd >= 0 && !(protocol_of(birth) & HELD)) {
		close(fd);
		refuse(asking->client, -EPROTONOSUPPORT);
		return -EPROTONOSUPPORT;
	}
	if (fd == -EXDEV || fd == -ERANGE || fd == -EUSERS)
		return refuse(asking->client, fd);
	if (fd < 0)
		return fd;
	error = birth_hand_over(birth->listener, birth->id, fd, birth->type & SOCK_CLOEXEC ? O_CLOEXEC : 0, verdict);
	close(fd);
	return error;
}

int birth_carry(const struct birth *birth, struct asking *asking, struct verdict *verdict)
{
	const struct rule *rule = family_is_inet(birth->domain) ? rule_for(birth, asking) : NULL;

	if (rule)
		return make(birth, rule, asking, verdict);
	verdict->go_on = true;
	return 0;
}
