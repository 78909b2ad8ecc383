/* identity.c - effective user, group and supplementary groups. */
#define _GNU_SOURCE
#include "identity.h"

#include <sys/mman.h>
#include <unistd.h>

#include "caller.h"

static const gid_t *more_groups(struct identity_store *store, int *n)
{
	size_t size = (size_t)*n * sizeof(gid_t);
	gid_t *groups = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (groups == MAP_FAILED) {
		*n = 0;
		return store->groups;
	}
	store->mapped = size;
	*n = getgroups(*n, groups);
	return groups;
}

static void ask_self(struct identity_store *store)
{
	int n = getgroups(0, NULL);

	store->identity.user = geteuid();
	store->identity.group = getegid();
	store->identity.groups = store->groups;
	if (n > IDENTITY_ROOM)
		store->identity.groups = more_groups(store, &n);
	else if (n > 0)
		n = getgroups(IDENTITY_ROOM, store->groups);
	store->identity.n_groups = n > 0 ? (size_t)n : 0;
}

void identity_ask(struct identity_store *store)
{
	store->mapped = 0;
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
