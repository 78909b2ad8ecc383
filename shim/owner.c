/* owner.c - who this process is, and whether another one still lives. */
#define _GNU_SOURCE
#include "owner.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/arena.h"
#include "config/locate.h"
#include "config/text.h"
#include "caller.h"
#include "kernel.h"
#include "own_page.h"

#define PID_BITS 22 /* PID_MAX_LIMIT is 2^22 */
#define NAMESPACE_BITS 8
#define START_SHIFT (PID_BITS + NAMESPACE_BITS)
#define START_MASK 0xffffu
#define START_FIELD 22 /* of /proc/PID/stat, from 1 */

/* What was asked of the kernel about this process; 0: not yet. own_page.h */
struct self {
	word64 owner;
	word64 namespace; /* inode of the pid namespace */
	word64 known;     /* owner_is_new() was asked */
};

/* The start time in a process's stat file: the 20th number behind the name, which is in parentheses and may hold any. */
static bool start_in(const char *stat, uint32_t *start)
{
	const char *at = strrchr(stat, ')');
	uint64_t number;
	size_t length;

	if (!at)
		return false;
	at++;
	for (int field = 2; *at == ' ' && ++field < START_FIELD;)
		at += 1 + strcspn(at + 1, " ");
	length = *at == ' ' ? strcspn(at + 1, " \n") : 0;
	if (!text_to_number(at + 1, length, UINT64_MAX, &number))
		return false;
	*start = (uint32_t)number & START_MASK;
	return true;
}

/* Of a process, or of this one (pid 0). False where /proc does not tell, or tells of another by that number: it may be the
 * /proc of another pid namespace. */
static bool start_of(uint32_t pid, uint32_t *start)
{
	char buffer[40];
	struct text path = TEXT_OVER(buffer);
	struct arena arena = { 0 };
	const char *stat;
	size_t length;
	uint64_t number;
	int error = 0;
	bool known;

	text_add(&path, "/proc/");
	if (pid)
		text_add_number(&path, pid);
	else
		text_add(&path, "self");
	text_add(&path, "/stat");
	stat = locate_read(&arena, buffer, &length, &error);
	known = stat && text_to_number(stat, strcspn(stat, " "), UINT32_MAX, &number) &&
	        number == (pid ? pid : (uint32_t)getpid()) && start_in(stat, start);
	arena_free(&arena);
	return known;
}

static struct self *self_page(void)
{
	static void *_Atomic self;

	return own_page(&self, sizeof(struct self));
}

/* The inode of this process's pid namespace; 0 where it cannot be had, or where /proc is another namespace's. */
static uint32_t own_namespace(void)
{
	struct self *page = self_page();
	uint64_t inode = page ? atomic_load_explicit(&page->namespace, memory_order_relaxed) : 0;
	struct stat64 about;
	uint32_t start;

	if (inode || !kernel_may_be_asked())
		return (uint32_t)inode;
	if (!start_of(0, &start) || stat64("/proc/self/ns/pid", &about) < 0)
		return 0;
	if (page)
		atomic_store_explicit(&page->namespace, (uint32_t)about.st_ino, memory_order_relaxed);
	return (uint32_t)about.st_ino;
}

/* Its number in the table; 0 where it has none. */
static uint32_t number_of(struct table *table, uint32_t inode)
{
	for (uint32_t i = 1; inode && i < TABLE_NAMESPACES; i++) {
		uint32_t seen = 0;

		if (atomic_compare_exchange_strong(&table->namespaces[i], &seen, inode) || seen == inode)
			return i;
	}
	return 0;
}

uint64_t owner_of(struct table *table, uint32_t pid)
{
	uint32_t start = 0, name = number_of(table, own_namespace());

	if (name && !start_of(pid, &start))
		name = 0; /* nobody can compare */
	return (uint64_t)start << START_SHIFT | (uint64_t)name << PID_BITS | (pid ? pid : (uint32_t)getpid());
}

uint64_t owner_self(struct table *table)
{
	static _Atomic uint64_t last; /* where there is no page: a child has it as well */
	struct self *page = caller ? NULL : self_page();
	_Atomic uint64_t *known = page ? &page->owner : &last;
	uint64_t owner = caller ? caller->owner : atomic_load_explicit(known, memory_order_relaxed);

	if (owner && (caller || page || owner_pid(owner) == (uint32_t)getpid()))
		return owner;
	owner = owner_of(table, 0);
	if (!caller)
		atomic_store_explicit(known, owner, memory_order_relaxed);
	return owner;
}

bool owner_is_new(void)
{
	struct self *page = caller ? NULL : self_page();

	return page && !atomic_load_explicit(&page->known, memory_order_relaxed) && !atomic_exchange(&page->known, 1);
}

uint32_t owner_pid(uint64_t owner)
{
	return (uint32_t)owner & ((1u << PID_BITS) - 1);
}

bool owner_is_here(const struct table *table, uint64_t owner)
{
	uint32_t name = (uint32_t)(owner >> PID_BITS) & (TABLE_NAMESPACES - 1), here = own_namespace();

	return name && here && atomic_load_explicit(&table->namespaces[name], memory_order_relaxed) == here;
}

enum owner_life owner_life(const struct table *table, uint64_t owner)
{
	uint32_t pid = owner_pid(owner), start = 0;

	if (!kernel_may_be_asked() || !owner_is_here(table, owner))
		return OWNER_UNKNOWN;
	if (!pid || (kill((pid_t)pid, 0) < 0 && errno == ESRCH))
		return OWNER_DEAD;
	/* Where /proc does not tell (chroot, hidepid, no descriptor), one of that number is taken to be it. */
	return !start_of(pid, &start) || start == (uint32_t)(owner >> START_SHIFT & START_MASK) ? OWNER_ALIVE :
	                                                                                          OWNER_DEAD;
}
