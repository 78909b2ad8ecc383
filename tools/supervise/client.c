/* client.c - what is kept of the threads and programs that make calls. */
#define _GNU_SOURCE
#include "tools/supervise/client.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "shim/identity.h"
#include "shim/owner.h"
#include "shim/session.h"
#include "shim/table.h"
#include "tools/supervise/status.h"

#ifndef PIDFD_THREAD
#define PIDFD_THREAD O_EXCL /* Linux 6.9 */
#endif
#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif

#define KEPT 256       /* threads that are remembered while they make no call */
#define BUCKETS 256
#define LABEL_SIZE 512
#define MARK_SIZE 16   /* of what AT_RANDOM tells */
#define SIGNAL(number) (UINT64_C(1) << ((number) - 1))
#define STOPS (SIGNAL(SIGSTOP) | SIGNAL(SIGTSTP) | SIGNAL(SIGTTIN) | SIGNAL(SIGTTOU))
#define NAME_SIZE 16   /* TASK_COMM_LEN */

/* A session that was replaced: calls under way may still look at it. */
struct former {
	struct former *next;
	struct session *session;
};

/* What a process is running: the same for all its threads. */
struct program {
	unsigned int users;
	uint32_t pid;
	uint64_t mark_at;        /* where exec(2) left random bytes in its memory */
	char mark[MARK_SIZE];
	struct session *session;
	struct former *former;
	uint64_t owner;
	char name[NAME_SIZE];
	bool labelled;           /* its security label is not ours */
	atomic_uint told;        /* bits of enum told */
	bool is_over;            /* it has become another program */
};

struct client {
	struct client *next;         /* in its bucket */
	uint32_t tid;
	unsigned int users;          /* calls under way */
	int pidfd;
	bool by_process;             /* the pidfd is that of its process */
	struct program *program;
	uint64_t heard;              /* when last: a counter */
	bool forgotten;              /* in no bucket any more */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct client *buckets[BUCKETS];
static unsigned int kept;
static uint64_t calls;
static atomic_bool landlocked;

/* --- programs ------------------------------------------------------------------------------------------- */

static void program_free(struct program *program)
{
	struct former *former;

	if (program->session)
		session_end(program->session);
	while ((former = program->former)) {
		program->former = former->next;
		session_end(former->session);
		free(former);
	}
	free(program);
}

static void program_put(struct program *program)
{
	if (program && --program->users == 0)
		program_free(program);
}

static void name_copy(char name[NAME_SIZE], const char *words)
{
	size_t length = strcspn(words += strspn(words, "\t "), "\n");

	snprintf(name, NAME_SIZE, "%.*s", (int)length, words);
}

/* The current label, as one security module or the other shows it; "" where there is none. */
static void label_of(char *label, size_t size, const char *process)
{
	char path[40];
	ssize_t length = -1;

	snprintf(path, sizeof(path), "/proc/%s/attr/current", process);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		length = read(fd, label, size - 1);
		close(fd);
	}
	label[length > 0 ? length : 0] = '\0';
}

static bool has_label_of_its_own(uint32_t pid)
{
	char number[16], own[LABEL_SIZE], its[LABEL_SIZE];

	snprintf(number, sizeof(number), "%u", pid);
	label_of(own, sizeof(own), "self");
	label_of(its, sizeof(its), number);
	return strcmp(own, its) != 0;
}

/* By the thread's number: its memory as it is now, and no more of it than it could read itself. */
static int memory_read(uint32_t tid, uint64_t address, void *to, size_t size)
{
	struct iovec here = { to, size }, there = { (void *)(uintptr_t)address, size };
	ssize_t n = process_vm_readv((pid_t)tid, &here, 1, &there, 1, 0);

	return n == (ssize_t)size ? 0 : n < 0 && errno != EFAULT ? -errno : -EFAULT;
}

/* 0 or -errno; -ESRCH: it is not that program any more. */
static int take_mark(struct program *program, uint32_t tid)
{
	int error;

	program->mark_at = program->session->facts.random;
	error = program->mark_at ? memory_read(tid, program->mark_at, program->mark, MARK_SIZE) : -EACCES;
	return error == -EFAULT ? -ESRCH : error;
}

/* Each exec leaves other random bytes in the new memory: so it is noticed even where others have the old one, too (vfork). */
static bool is_same_program(const struct program *program, uint32_t tid)
{
	char mark[MARK_SIZE];

	return memory_read(tid, program->mark_at, mark, MARK_SIZE) == 0 && memcmp(mark, program->mark, MARK_SIZE) == 0;
}

/* All is asked by the thread's number: of a process whose first thread has ended, that one's says nothing. */
static struct program *program_new(uint32_t pid, uint32_t tid, const struct status *status, int *error)
{
	struct program *program = calloc(1, sizeof(*program));
	struct table *table = table_made();

	*error = -ENOMEM;
	if (!program)
		return NULL;
	program->users = 1;
	program->pid = pid;
	program->session = session_for(tid, error);
	if (program->session)
		*error = take_mark(program, tid);
	if (*error) {
		program_free(program);
		return NULL;
	}
	program->owner = table ? owner_of(table, pid) : 0;
	program->labelled = has_label_of_its_own(pid);
	name_copy(program->name, status_words(status, "Name"));
	return program;
}

/* --- threads --------------------------------------------------------------------------------------------- */

static void client_free(struct client *client)
{
	if (client->pidfd >= 0)
		close(client->pidfd);
	program_put(client->program);
	free(client);
}

static struct client **bucket_of(uint32_t tid)
{
	return &buckets[tid % BUCKETS];
}

static struct client *find(uint32_t tid)
{
	for (struct client *client = *bucket_of(tid); client; client = client->next)
		if (client->tid == tid)
			return client;
	return NULL;
}

static void take_out(struct client *client)
{
	struct client **at = bucket_of(client->tid);

	while (*at != client)
		at = &(*at)->next;
	*at = client->next;
	client->forgotten = true;
	kept--;
}

/* The one that was not heard of for longest; false: all have calls under way. */
static bool drop_oldest(void)
{
	struct client *oldest = NULL;

	for (unsigned int i = 0; i < BUCKETS; i++)
		for (struct client *client = buckets[i]; client; client = client->next)
			if (client->users == 0 && (!oldest || client->heard < oldest->heard))
				oldest = client;
	if (!oldest)
		return false;
	take_out(oldest);
	client_free(oldest);
	return true;
}

static void make_room(void)
{
	if (kept >= KEPT)
		drop_oldest();
}

void client_drop_idle(void)
{
	pthread_mutex_lock(&lock);
	while (drop_oldest())
		;
	pthread_mutex_unlock(&lock);
}

/* The program of another thread of the process, if it still runs that. */
static struct program *program_find(uint32_t pid, uint32_t tid)
{
	for (unsigned int i = 0; i < BUCKETS; i++)
		for (struct client *client = buckets[i]; client; client = client->next)
			if (client->program->pid == pid && !client->program->is_over)
				return is_same_program(client->program, tid) ? client->program : NULL;
	return NULL;
}

static struct program *program_get(uint32_t pid, uint32_t tid, const struct status *status, int *error)
{
	struct program *program;

	pthread_mutex_lock(&lock);
	program = program_find(pid, tid);
	if (program)
		program->users++;
	pthread_mutex_unlock(&lock);
	return program ? program : program_new(pid, tid, status, error);
}

/* A thread's own pidfd (Linux 6.9), or that of its process, whose descriptors it usually has. */
static int pidfd_open_for(struct client *client, uint32_t pid)
{
	client->pidfd = (int)syscall(SYS_pidfd_open, client->tid, PIDFD_THREAD);
	if (client->pidfd < 0 && errno == EINVAL) {
		client->by_process = true;
		client->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	}
	return client->pidfd < 0 ? -errno : 0;
}

static int client_fill(struct client *client)
{
	struct status *status = malloc(sizeof(*status));
	int error = status ? 0 : -ENOMEM;
	uint32_t pid;

	if (!error && !status_read(status, client->tid))
		error = -ESRCH;
	if (!error) {
		pid = (uint32_t)status_number(status, "Tgid", 10);
		error = pidfd_open_for(client, pid);
		if (!error)
			client->program = program_get(pid, client->tid, status, &error);
	}
	free(status);
	return error;
}

static struct client *client_new(uint32_t tid, int *error)
{
	struct client *client = calloc(1, sizeof(*client));

	*error = -ENOMEM;
	if (!client)
		return NULL;
	client->tid = tid;
	client->pidfd = -1;
	*error = client_fill(client);
	if (!*error)
		return client;
	client_free(client);
	return NULL;
}

/* Everything but the look at what is known is done unlocked: others are served meanwhile. */
static struct client *use(struct client *client)
{
	if (client) {
		client->users++;
		client->heard = ++calls;
	}
	return client;
}

struct client *client_get(uint32_t tid, int *error)
{
	struct client *client;

	*error = 0;
	pthread_mutex_lock(&lock);
	client = use(find(tid));
	pthread_mutex_unlock(&lock);
	if (client)
		return client;
	client = client_new(tid, error);
	if (!client)
		return NULL;
	pthread_mutex_lock(&lock);
	make_room();
	use(client);
	client->next = *bucket_of(tid);
	*bucket_of(tid) = client;
	kept++;
	pthread_mutex_unlock(&lock);
	return client;
}

void client_put(struct client *client)
{
	pthread_mutex_lock(&lock);
	if (--client->users == 0 && client->forgotten)
		client_free(client);
	pthread_mutex_unlock(&lock);
}

void client_forget(struct client *client)
{
	pthread_mutex_lock(&lock);
	client->program->is_over = true;
	if (!client->forgotten)
		take_out(client);
	pthread_mutex_unlock(&lock);
}

/* --- its memory and its descriptors ------------------------------------------------------------------------ */

bool client_is_same_program(const struct client *client)
{
	return is_same_program(client->program, client->tid);
}

int client_read(const struct client *client, uint64_t address, void *to, size_t size)
{
	return memory_read(client->tid, address, to, size);
}

int client_memory(const struct client *client)
{
	char path[40];

	snprintf(path, sizeof(path), "/proc/%u/mem", client->tid);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Whether the number is still that of a thread of the process. */
static bool is_of_process(const struct client *client)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%u/task/%u", client->program->pid, client->tid);
	return access(path, F_OK) == 0;
}

bool client_is_there(const struct client *client)
{
	if (client->by_process)
		return is_of_process(client);
	return syscall(SYS_pidfd_send_signal, client->pidfd, 0, NULL, 0) == 0 || errno != ESRCH;
}

uint32_t client_tid(const struct client *client)
{
	return client->tid;
}

int client_pidfd(const struct client *client)
{
	return client->pidfd;
}

int client_pidfd_of_thread(const struct client *client)
{
	return client->by_process ? -1 : client->pidfd;
}

int client_copy(const struct client *client, int fd)
{
	if (client->by_process && !is_of_process(client))
		return -ESRCH;
	int copy = (int)syscall(SYS_pidfd_getfd, client->pidfd, fd, 0);

	return copy < 0 ? -errno : copy;
}

/* --- for the engine ------------------------------------------------------------------------------------------ */

static size_t count_words(const char *words)
{
	size_t n = 0;

	for (words += strspn(words, "\t "); *words && *words != '\n'; words += strspn(words, "\t ")) {
		n++;
		words += strcspn(words, "\t \n");
	}
	return n;
}

static void read_groups(struct identity_store *store, const char *words)
{
	size_t n = count_words(words);
	gid_t *groups = identity_room(store, n);
	char *end;

	store->identity.n_groups = groups ? n : 0;
	for (size_t i = 0; i < store->identity.n_groups; i++, words = end)
		groups[i] = (gid_t)strtoul(words, &end, 10);
}

static void client_identify(const struct caller *as, struct identity_store *store)
{
	const struct asking *asking = (const struct asking *)as;
	struct status *status = malloc(sizeof(*status));

	store->identity.user = (uid_t)-1;
	store->identity.group = (gid_t)-1;
	if (status && status_read(status, asking->client->tid)) {
		store->identity.user = status_id(status, "Uid", STATUS_EFFECTIVE);
		store->identity.group = status_id(status, "Gid", STATUS_EFFECTIVE);
		read_groups(store, status_words(status, "Groups"));
	}
	free(status);
}

static const struct session *client_renew(const struct caller *as)
{
	const struct client *client = ((const struct asking *)as)->client;
	struct program *program = client->program;
	struct former *former = malloc(sizeof(*former));
	int error;
	struct session *session = former ? session_for(client->tid, &error) : NULL;

	if (!session) {
		free(former);
		return as->session;
	}
	pthread_mutex_lock(&lock);
	*former = (struct former){ .next = program->former, .session = program->session };
	program->former = former;
	program->session = session;
	pthread_mutex_unlock(&lock);
	return session;
}

/* Fills it with what is known of the client. Whether its session is one of the present policy. */
static bool ask(struct asking *asking, struct client *client)
{
	pthread_mutex_lock(&lock);
	asking->client = client;
	asking->caller = (struct caller){
		.pid = (pid_t)client->program->pid,
		.name = client->program->name,
		.session = client->program->session,
		.owner = client->program->owner,
		.identify = client_identify,
		.renew = client_renew,
	};
	pthread_mutex_unlock(&lock);
	return asking->caller.session->of == session_made();
}

void client_ask(struct asking *asking, struct client *client)
{
	session_now(-1);
	if (!ask(asking, client))
		asking->caller.session = client_renew(&asking->caller);
}

bool client_is_told(struct client *client, enum told what)
{
	unsigned int bit = 1U << what;

	return !(atomic_fetch_or(&client->program->told, bit) & bit);
}

/* --- asked of the kernel --------------------------------------------------------------------------------------- */

void client_landlocked(void)
{
	atomic_store(&landlocked, true);
}

bool client_is_labelled(const struct client *client)
{
	return client->program->labelled;
}

bool client_is_confined(const struct client *client)
{
	return client->program->labelled || atomic_load(&landlocked);
}

bool client_has_signal(const struct client *client)
{
	struct status *status = malloc(sizeof(*status));
	uint64_t waiting = 0, acts;

	if (status && status_read(status, client->tid)) {
		acts = status_number(status, "SigCgt", 16) | (STOPS & ~status_number(status, "SigIgn", 16));
		waiting = (status_number(status, "SigPnd", 16) | status_number(status, "ShdPnd", 16)) &
		          ~status_number(status, "SigBlk", 16) & acts;
	}
	free(status);
	return waiting != 0;
}

static bool has_own_user_namespace(const struct client *client)
{
	char path[40];
	struct stat own, its;

	snprintf(path, sizeof(path), "/proc/%u/ns/user", client->tid);
	return stat("/proc/self/ns/user", &own) < 0 || stat(path, &its) < 0 || own.st_ino != its.st_ino;
}

bool client_binds_low_ports(const struct client *client, bool elsewhere)
{
	struct status *status = malloc(sizeof(*status));
	bool capable = status && status_read(status, client->tid) &&
	               status_number(status, "CapEff", 16) >> CAP_NET_BIND_SERVICE & 1;

	free(status);
	return capable && (elsewhere || !has_own_user_namespace(client));
}
