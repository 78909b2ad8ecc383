/* birth.h - deciding a socket's ports once, when it is made.
 *
 * Theory of operation. The kernel keeps a socket within a range by itself (IP_LOCAL_PORT_RANGE, Linux 6.3). Where all that a
 * policy says comes to such ranges, the supervisor makes the program's sockets, with the range, and hands them over as the
 * result of socket(2). What is done with them then is no affair of the supervisor's: connect(2) and the sends, also those by
 * io_uring(7), are not even notified. bind(2) and listen(2) stay what they are.
 *
 * The policy is one for it if each rule, whatever program it is for, assigns ports that the kernel chooses (`choose =
 * kernel`), for all calls and both families, to all destinations and users, and fails where they are used up; and if nobody
 * wants to be told of each port (`audit`, `log = info`). As by the kernel without us, and other than by the usual way, a
 * program that connects to a port of the set on its own machine, where nobody listens, may meet itself.
 *
 * Who makes a socket stays on it; see maker.h. A program whose network namespace cannot be entered, or that has a security
 * label of its own (SELinux, AppArmor), gets EACCES: its own socket would be outside of the range without anybody to
 * notice. The same where ip_local_port_range does not hold the set any more. There are no sockets of SCTP and DCCP
 * (EPROTONOSUPPORT) for a program that has a rule for those: whether the kernel holds them was not to be seen.
 *
 * Not covered: unbound sockets that a program is sent by somebody who is not supervised; and 32-bit programs that change the
 * arguments of socketcall(2) while it is decided. */
#ifndef PORTSHIM_TOOLS_SUPERVISE_BIRTH_H
#define PORTSHIM_TOOLS_SUPERVISE_BIRTH_H

#include "config/policy.h"
#include "shim/kernel.h"
#include "tools/supervise/client.h"
#include "tools/supervise/verdict.h"

/* Whether it is the way for this policy and for what this process was given: no unbound Internet socket, from before. It is
 * in force then. */
bool birth_is_right(const struct policy *policy, const struct kernel *kernel);
bool birth_is_in_force(void);

/* Whether the policy is one for it. */
bool birth_fits(const struct policy *policy, const struct kernel *kernel);

/* socket(2), as notified. */
struct birth {
	int listener;
	uint64_t id;
	int domain, type, protocol;
};

/* Carries it out; `caller` is the engine's. 0, or what the call comes to, as -errno. */
int birth_carry(const struct birth *birth, struct asking *asking, struct verdict *verdict);

/* Gives a copy of `fd` to the caller of a notified call, as its result. 0 or what it comes to instead. */
int birth_hand_over(int listener, uint64_t id, int fd, unsigned int flags, struct verdict *verdict);

#endif
