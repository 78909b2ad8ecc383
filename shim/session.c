/* session.c - making and publishing the policy of this process. */
#define _GNU_SOURCE
#include "session.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "config/locate.h"
#include "config/trust.h"
#include "config/world.h"
#include "caller.h"
#include "clock.h"
#include "kernel.h"
#include "log.h"
#include "random.h"
#include "table.h"

#define MESSAGES_SIZE 8192
#define RELOADS 4 /* in one call */

static const struct session off;  /* the library is not to act */
static const struct session none; /* there is no policy, or it is broken */
static const struct session refusing = { .broken = true, .calls = CALL_ANY };
static const struct session not_now = { .broken = true, .calls = CALL_ANY }; /* never published */
static _Atomic(const struct session *) current;
static _Atomic uint64_t acted; /* the generation of the table that was acted upon last; 0: none was */
static _Atomic uint64_t look_at; /* CLOCK_MONOTONIC, ns: not before then for a table that is not mapped */
static const char *(*judge_of_policies)(const struct policy *policy);

/* What is to be said once a session is published, each finding a line. */
struct findings {
	struct text text;
	const char *origin; /* the file's path, or "PORTSHIM_PORTS" */
	enum log_level worst;
};

/* What a session in the making needs besides itself: all of it in the arena, none on a small signal stack. */
struct making {
	struct session session;
	struct location location;
	struct findings findings;
	bool passing; /* what failed may succeed at another time */
	char messages[MESSAGES_SIZE];
};

static bool is_passing(int error)
{
	return error == -EMFILE || error == -ENFILE || error == -ENOMEM;
}

static void hear(void *context, enum severity severity, int line, const char *words)
{
	struct findings *findings = context;

	if (severity == SEVERITY_ERROR)
		findings->worst = LOG_LEVEL_ERROR;
	else if (findings->worst == LOG_LEVEL_NONE)
		findings->worst = LOG_LEVEL_WARNING;
	text_add(&findings->text, "\n  ");
	text_add(&findings->text, findings->origin);
	text_add(&findings->text, ":");
	if (line > 0) {
		text_add_number(&findings->text, (uint64_t)line);
		text_add(&findings->text, ":");
	}
	text_add(&findings->text, severity == SEVERITY_ERROR ? " error: " : " warning: ");
	text_add(&findings->text, words);
}

static bool is_set(const char *name)
{
	const char *value = facts_variable(name);

	return value && strcmp(value, "1") == 0;
}

static enum log_level level_from_environment(enum log_level otherwise)
{
	static const char *const names[] = { "none", "error", "warning", "info", "debug" };
	const char *value = facts_variable("PORTSHIM_LOG");

	for (unsigned i = 0; value && i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(value, names[i]) == 0)
			return (enum log_level)i;
	return otherwise;
}

static bool read_file(struct making *making)
{
	const struct reader reader = reader_here();
	struct session *session = &making->session;
	int error = 0;

	making->findings.origin = making->location.path;
	session->text = trust_read(&session->arena, making->location.path, &session->text_length, &error, &reader, hear,
	                           &making->findings);
	making->passing = !session->text && is_passing(error);
	return session->text != NULL;
}

/* Finds and reads the policy's words. False if there is none, with the reason among the findings. */
static bool read_words(struct making *making)
{
	locate_policy(&making->location, facts_variable);
	switch (making->location.found) {
	case FOUND_PORTS:
		making->findings.origin = "PORTSHIM_PORTS";
		making->session.ports = making->location.ports;
		return true;
	case FOUND_FILE:
		return read_file(making);
	case FOUND_NOTHING:
		break;
	}
	making->findings.origin = "policy";
	hear(&making->findings, SEVERITY_ERROR, 0,
	     "none found: neither PORTSHIM_CONF nor PORTSHIM_PORTS is set, and there is no "
	     "~/.config/portshim/portshim.conf and no /etc/portshim.conf");
	return false;
}

/* From words to a policy, by what the kernel's range is now. */
static bool read_policy(struct session *session, struct findings *findings)
{
	struct policy_world world;

	world_read(&world, kernel_known()->ephemeral, &session->arena);
	return session->ports ?
		policy_from_ports(&session->policy, session->ports, &world, hear, findings) :
		policy_read(&session->policy, session->text, session->text_length, &world, hear, findings);
}

/* From the policy to the rules that concern the process of these facts. */
static bool narrow(struct session *session, struct findings *findings)
{
	session->program = siphash((const uint64_t[2]){ 0, 0 }, session->facts.executable,
	                           strlen(session->facts.executable));
	if (!view_make(&session->view, &session->policy, &session->facts)) {
		hear(findings, SEVERITY_ERROR, 0, "out of memory");
		return false;
	}
	for (uint32_t i = 0; i < session->view.n_live; i++) {
		const struct live_rule *live = &session->view.live[i];

		session->calls |= live->calls;
		if (session->policy.rule[live->index].action == ACTION_DENY)
			session->denies = true;
	}
	return true;
}

static bool compile(struct session *session, struct findings *findings)
{
	if (!read_policy(session, findings))
		return false;
	facts_read(&session->facts, &session->arena);
	return narrow(session, findings);
}

static void drop(struct session *session)
{
	struct arena arena = session->arena; /* the session itself lies in it */

	view_free(&session->view);
	policy_free(&session->policy);
	arena_free(&arena);
}

/* Where others have published another session meanwhile, they may have come first with its settings. */
static void configure_log(const struct session *session)
{
	for (const struct session *last = NULL; session != last; last = session, session = atomic_load(&current))
		if (session->text || session->ports)
			log_configure(level_from_environment(session->policy.log), session->policy.log_to,
			              session->policy.log_path);
}

static void say(const struct session *session, struct findings *findings)
{
	configure_log(session);
	if (findings->worst == LOG_LEVEL_NONE || !log_wants(findings->worst))
		return;
	if (findings->worst == LOG_LEVEL_ERROR)
		text_add(&findings->text, session->broken ?
		         "\n  network calls fail with EPERM until this is mended (PORTSHIM_STRICT=1)" :
		         "\n  until this is mended, all calls pass as if portshim were absent");
	log_send(findings->worst, &findings->text);
}

static struct making *making_new(void)
{
	struct arena arena = { 0 };
	struct making *making = arena_alloc(&arena, sizeof(*making));

	if (!making)
		return NULL;
	making->session.arena = arena;
	making->findings.text = (struct text)TEXT_OVER(making->messages);
	log_begin(&making->findings.text);
	text_add(&making->findings.text, "the policy:");
	return making;
}

/* The first session. The one who publishes it speaks; who comes second throws his own away. */
static const struct session *make(void)
{
	const struct session *without = is_set("PORTSHIM_STRICT") ? &refusing : &none;
	const struct session *session = without, *published = NULL;
	unsigned int failures = arena_failures();
	struct making *making = making_new();

	if (making && read_words(making) && compile(&making->session, &making->findings))
		session = &making->session;
	if (!making || making->passing || (session == without && arena_failures() != failures)) {
		if (making)
			drop(&making->session);
		return &not_now;
	}
	if (atomic_compare_exchange_strong(&current, &published, session)) {
		published = session;
		atomic_store(&look_at, clock_read(CLOCK_MONOTONIC_COARSE) + SECOND);
		log_start();
		log_configure(level_from_environment(LOG_LEVEL_ERROR), LOG_TO_STDERR, NULL);
		say(session, &making->findings);
	}
	if (published != &making->session)
		drop(&making->session);
	return published;
}

/* Another has taken its place; others may still look at it, for as long as their calls take, so it stays. */
static void retire(const struct session *old)
{
	arena_retire(&old->policy.arena);
	arena_retire(&old->view.arena);
}

/* `old` again, in the kernel's present range. A policy that is broken in this range leaves the old one in force. */
static const struct session *remake(const struct session *old)
{
	struct making *making = making_new();
	const struct session *published = old;

	if (!making)
		return old;
	making->findings.origin = "policy";
	making->session.text = old->text ? arena_copy(&making->session.arena, old->text, old->text_length) : NULL;
	making->session.text_length = old->text_length;
	making->session.ports = old->ports;
	if ((making->session.text || making->session.ports) && compile(&making->session, &making->findings) &&
	    atomic_compare_exchange_strong(&current, &published, &making->session)) {
		retire(old);
		return &making->session;
	}
	drop(&making->session);
	return published;
}

/* --- a policy that was reloaded ------------------------------------------------------------------------------------- */

/* Whether its origin is a file, which can change, or may come to be one. A process that has shut itself off may be killed for
 * opening files: it keeps what it has. */
static bool can_be_told(const struct session *session)
{
	return session != &off && session != &not_now && !session->ports && kernel_may_be_asked();
}

/* Of a process that has no shared table mapped: asked at most once a second. */
static uint64_t generation_unmapped(const struct session *session, int fd)
{
	static _Atomic uint64_t seen;
	uint64_t now, due, generation;

	if (fd < 0 || (session->text && session->policy.table == TABLE_NONE))
		return 0;
	now = clock_read(CLOCK_MONOTONIC_COARSE);
	due = atomic_load_explicit(&look_at, memory_order_relaxed);
	if (clock_is_due(now, due, SECOND) && atomic_compare_exchange_strong(&look_at, &due, now + SECOND)) {
		generation = table_generation(&session->policy, fd);
		if (generation)
			atomic_store_explicit(&seen, generation, memory_order_relaxed);
	}
	return atomic_load_explicit(&seen, memory_order_relaxed);
}

/* The generation to act upon; 0: none. */
static uint64_t news(const struct session *session, int fd)
{
	const struct table *table = table_made();
	uint64_t generation;

	if (!can_be_told(session))
		return 0;
	generation = table_is_shared(table) ? atomic_load_explicit(&table->generation, memory_order_acquire) :
	                                      generation_unmapped(session, fd);
	return generation != atomic_load_explicit(&acted, memory_order_acquire) ? generation : 0;
}

/* Done with it. Who finds that another generation was acted upon in the meantime does not know whose session came last:
 * the next call looks once more. Whether this one is the first. */
static bool act_upon(uint64_t generation, uint64_t before)
{
	if (atomic_compare_exchange_strong(&acted, &before, generation))
		return true;
	if (before != generation)
		atomic_store(&acted, 0);
	return false;
}

static bool reads_the_same(const struct session *old, const struct session *session)
{
	return old->text && old->text_length == session->text_length &&
	       memcmp(old->text, session->text, session->text_length) == 0;
}

static bool same_table(const struct policy *one, const struct policy *other)
{
	return one->table == other->table && (one->table != TABLE_PATH || strcmp(one->table_path, other->table_path) == 0);
}

/* What the new policy says that cannot be done while the program runs. */
static void hear_of_table(struct findings *findings, const struct session *old, const struct session *session)
{
	if (table_made() && old->text && !same_table(&old->policy, &session->policy))
		hear(findings, SEVERITY_WARNING, 0, "table: cannot change while the program runs; it keeps the one that it has");
}

/* From the file's words to a session that can be taken up. */
static bool compile_again(struct making *making)
{
	const char *(*judge)(const struct policy *policy) = judge_of_policies;
	const char *words;

	if (!compile(&making->session, &making->findings))
		return false;
	words = judge ? judge(&making->session.policy) : NULL;
	if (words)
		hear(&making->findings, SEVERITY_ERROR, 0, words);
	return !words;
}

static void say_refused(struct findings *findings)
{
	if (!log_wants(LOG_LEVEL_ERROR))
		return;
	text_add(&findings->text, "\n  until this is mended, and reloaded, the policy as it was stays in force");
	log_send(LOG_LEVEL_ERROR, &findings->text);
}

/* False if another came first. */
static bool take_up(const struct session *old, struct making *making, uint64_t generation, uint64_t before)
{
	const struct session *published = old;

	hear_of_table(&making->findings, old, &making->session);
	if (!atomic_compare_exchange_strong(&current, &published, &making->session)) {
		drop(&making->session);
		return false;
	}
	retire(old);
	act_upon(generation, before);
	say(&making->session, &making->findings);
	return true;
}

/* Looks for the policy again and takes it up. What fails for want of a descriptor or of memory is tried again by the next call.
 * False if another has published a session meanwhile, which may be one of before. */
static __attribute__((noinline)) bool reload(const struct session *old, uint64_t generation)
{
	const uint64_t before = atomic_load(&acted);
	unsigned int failures = arena_failures();
	struct making *making = making_new();
	bool found, same;

	if (!making)
		return true;
	found = read_words(making);
	same = found ? reads_the_same(old, &making->session) :
	               !old->text && making->location.found == FOUND_NOTHING;
	if (found && !same && compile_again(making))
		return take_up(old, making, generation, before);
	if (!making->passing && arena_failures() == failures && act_upon(generation, before) && !same)
		say_refused(&making->findings);
	drop(&making->session);
	return true;
}

bool session_has_news(int fd)
{
	const struct session *session = caller ? NULL : session_made();

	return session && news(session, fd) != 0;
}

const struct session *session_now(int fd)
{
	const struct session *session = session_get();
	uint64_t generation;
	bool done = caller != NULL;

	for (int i = 0; i < RELOADS && !done && (generation = news(session, fd)); i++) {
		done = reload(session, generation);
		session = atomic_load_explicit(&current, memory_order_acquire);
	}
	return session;
}

void session_judge_by(const char *(*judge)(const struct policy *policy))
{
	judge_of_policies = judge;
}

/* --- for another process --------------------------------------------------------------------------------------------- */

struct session *session_for(uint32_t pid, int *error)
{
	const struct session *own = atomic_load_explicit(&current, memory_order_acquire);
	struct making *making = making_new();
	struct session *session = making ? &making->session : NULL;

	*error = making ? -EPROTO : -ENOMEM;
	if (!own || !session)
		return NULL;
	making->findings.origin = "policy";
	session->of = own;
	session->text = own->text;
	session->text_length = own->text_length;
	session->ports = own->ports;
	if (session->text || session->ports)
		*error = read_policy(session, &making->findings) ? facts_of(&session->facts, &session->arena, pid) : -EPROTO;
	if (!*error && !narrow(session, &making->findings))
		*error = -ENOMEM;
	if (!*error)
		return session;
	drop(session);
	return NULL;
}

void session_end(struct session *session)
{
	drop(session);
}

const struct session *session_made(void)
{
	if (caller)
		return caller->session;
	return atomic_load_explicit(&current, memory_order_acquire);
}

const struct session *session_get(void)
{
	const struct session *session = session_made();

	return session ? session : make();
}

void session_prepare(void)
{
	int saved = errno;

	session_get();
	errno = saved;
}

const struct session *session_renewed(const struct session *session, const struct rule *rule)
{
	struct port_range now, then = session->policy.kernel;

	if (!rule->ports.uses_kernel)
		return session;
	now = kernel_now()->ephemeral;
	if (now.lo > now.hi || (now.lo == then.lo && now.hi == then.hi))
		return session;
	if (caller)
		caller->session = caller->renew(caller);
	return caller ? caller->session : remake(session);
}

void session_start(bool leave_all)
{
	if (leave_all || is_set("PORTSHIM_DISABLE"))
		atomic_store(&current, &off);
}
