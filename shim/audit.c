/* audit.c - writing the audit's lines. */
#define _GNU_SOURCE
#include "audit.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "append.h"
#include "caller.h"
#include "clock.h"
#include "config/utf8.h"
#include "identity.h"
#include "kernel.h"
#include "log.h"
#include "report.h"
#include "session.h"
#include "table.h"

/* A path of PATH_MAX bytes (4,096), each of which takes as many as it can, and the rest. Mapped for a line: a hook may run on a
 * small stack, and the pages behind a usual path are never touched. */
#define LINE_SIZE (4096 * UTF8_JSON_MOST + 2048)

/* Where there is no table that could say so. */
static word64 own_torn;

/* --- the line ----------------------------------------------------------------------------------------------------- */

static void add_json(struct text *line, const char *words)
{
	text_add(line, "\"");
	while (*words) {
		char piece[UTF8_JSON_MOST];
		size_t taken;

		text_add_bytes(line, piece, utf8_json(piece, words, &taken));
		words += taken;
	}
	text_add(line, "\"");
}

static void add_endpoint(struct text *line, const char *key, const struct ip_addr *addr, uint64_t port, bool has_port)
{
	text_add(line, ",\"");
	text_add(line, key);
	text_add(line, "_address\":");
	if (addr->family) {
		text_add(line, "\"");
		text_add_addr(line, addr, false);
		text_add(line, "\"");
	} else {
		text_add(line, "null");
	}
	text_add(line, ",\"");
	text_add(line, key);
	text_add(line, "_port\":");
	if (has_port)
		text_add_number(line, port);
	else
		text_add(line, "null");
}

/* Of rcmd(3), which does two things in one: connect. */
static const char *call_name(uint8_t calls)
{
	return calls & CALL_CONNECT ? "connect" : calls & CALL_SEND ? "send" : calls & CALL_BIND ? "bind" : "listen";
}

static void make_line(struct text *line, const struct attempt *a, enum audit_event event, uint16_t port)
{
	static const struct ip_addr nobody;
	const struct question *question = &a->question;

	text_add(line, "{\"time\":\"");
	text_add_utc(line, clock_read(CLOCK_REALTIME));
	text_add(line, event == AUDIT_ASSIGNED ? "\",\"event\":\"assigned\",\"rule\":" : "\",\"event\":\"refused\",\"rule\":");
	add_json(line, a->rule->name);
	text_add(line, ",\"pid\":");
	text_add_number(line, (uint64_t)(caller ? caller->pid : getpid()));
	text_add(line, ",\"program\":");
	add_json(line, session_made()->facts.executable);
	text_add(line, ",\"user\":");
	text_add_number(line, identity_user());
	text_add(line, ",\"call\":\"");
	text_add(line, call_name(a->act->calls));
	text_add(line, "\",\"protocol\":\"");
	text_add(line, report_protocol(question->protocol));
	text_add(line, "\"");
	add_endpoint(line, "local", &a->source, port, true);
	add_endpoint(line, "remote", question->has_destination ? &question->destination.addr : &nobody,
	             question->destination.port, question->has_destination);
	text_add(line, "}\n");
}

/* --- the file ------------------------------------------------------------------------------------------------------- */

static const char *words_for(int error)
{
	switch (error) {
	case -ENOENT:
	case -ENOTDIR:
		return "there is no such folder";
	case -EACCES:
	case -EPERM:
		return "may not be written by this user";
	case -ELOOP:
		return "a symbolic link; name the file itself";
	case -ENXIO:
		return "a pipe that nobody reads";
	case -EFBIG:
		return "larger than this process may make files (RLIMIT_FSIZE)";
	case -ENOSPC:
	case -EDQUOT:
		return "no room for it";
	case -EMFILE:
	case -ENFILE:
		return "there is no descriptor left to open it with";
	case -ECANCELED:
		return "this process has shut itself off, and may be killed for opening a file";
	}
	return "cannot be written";
}

/* Once a process. */
static __attribute__((noinline)) void warn(const char *path, int error)
{
	static atomic_flag said = ATOMIC_FLAG_INIT;
	char buffer[320];
	struct text text = TEXT_OVER(buffer);

	if (!log_wants(LOG_LEVEL_WARNING) || atomic_flag_test_and_set(&said))
		return;
	log_begin(&text);
	text_add(&text, "audit: ");
	text_add(&text, words_for(error));
	text_add(&text, "; lines are lost, and counted in 'portshim status': ");
	text_add(&text, path);
	log_send(LOG_LEVEL_WARNING, &text);
}

/* Appends the line, which begins with a newline of its own if the last one was torn. */
static int append(const char *path, word64 *torn, const struct text *line)
{
	bool apart = atomic_load_explicit(torn, memory_order_relaxed) && atomic_exchange(torn, 0);
	size_t done, first = apart ? 0 : 1; /* line->at[0] is the newline */
	int error = append_line(path, line->at + first, line->length - first, &done);

	if (error && (apart ? done != 1 : done != 0))
		atomic_store_explicit(torn, 1, memory_order_relaxed);
	return error;
}

static __attribute__((noinline)) int write_line(const char *path, const struct attempt *a, enum audit_event event, uint16_t port)
{
	struct text line = { .size = LINE_SIZE };
	int error;

	if (!kernel_may_be_asked())
		return -ECANCELED;
	line.at = mmap(NULL, LINE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (line.at == MAP_FAILED)
		return -errno;
	text_add(&line, "\n");
	make_line(&line, a, event, port);
	error = append(path, a->table ? &a->table->audit_torn : &own_torn, &line);
	munmap(line.at, LINE_SIZE);
	return error;
}

/* The address that the port is used at: the socket's own, or the one that the kernel would choose. */
static void know_source(struct attempt *a)
{
	const struct act *act = a->act;

	if (!a->source.family)
		a->source = name_address(&a->local);
	if (!a->source.family && a->question.has_destination && kernel_may_be_asked() && !(caller && caller->elsewhere))
		source_of(act->fd, act->addr, act->len, &a->source);
}

bool audit_is_on(void)
{
	return session_made()->policy.audit_path != NULL;
}

void audit(struct attempt *a, enum audit_event event, uint16_t port)
{
	const char *path = session_made()->policy.audit_path;
	int saved = errno, error;

	if (!path)
		return;
	know_source(a);
	error = write_line(path, a, event, port);
	if (error) {
		if (a->table)
			atomic_fetch_add_explicit(&a->table->audit_lost, 1, memory_order_relaxed);
		warn(path, error);
	}
	errno = saved;
}
