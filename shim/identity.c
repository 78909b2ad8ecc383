/* identity.c - effective user, group and supplementary groups. */
#define _GNU_SOURCE
#include "identity.h"

#include <sys/mman.h>
#include <unistd.h>

#include "caller.h"

gid_t *identity_room(struct identity_store *store, size_t n)
{
	size_t size = n * sizeof(gid_t);
	gid_t *groups = store->groups;

	if (n > IDENTITY_ROOM) {
		groups = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (groups == MAP_FAILED)
			return NULL;
		store->mapped = size;
	}
	store->identity.groups = groups;
	return groups;
}

static void ask_self(struct identity_store *store)
{
	int n = getgroups(0, NULL);
	gid_t *groups;

	store->identity.user = geteuid();
	store->identity.group = getegid();
	groups = n > 0 ? identity_room(store, (size_t)n) : NULL;
	n = groups ? getgroups(n, groups) : 0;
	store->identity.n_groups = n > 0 ? (size_t)n : 0;
}

void identity_ask(struct identity_store *store)
{
	store->mapped = 0;
	store->identity.groups = store->groups;
	store->identity.n_groups = 0;
	if (caller)
		caller->identify(caller, store);
	else
		ask_self(store);
}

void identity_done(struct identity_store *store)
{
	if (store->mapped)
		munmap((void *)store->identity.groups, store->mapped);
}

static __attribute__((noinline)) uid_t user_of_caller(void)
{
	struct identity_store store;
	uid_t user;

	identity_ask(&store);
	user = store.identity.user;
	identity_done(&store);
	return user;
}

uid_t identity_user(void)
{
	return caller ? user_of_caller() : geteuid();
}
