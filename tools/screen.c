/* screen.c - plain terminal codes (ECMA-48, and xterm's alternate screen), no library for them. */
#define _GNU_SOURCE
#include "tools/screen.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "shim/clock.h"
#include "tools/utf8.h"

#define SCREEN_TAKE "\033[?1049h\033[?25l\033[2J"    /* the alternate screen, no cursor, empty */
#define SCREEN_GIVE_BACK "\033[0m\033[?25h\033[?1049l"

static const int kept_signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGCONT, SIGWINCH };
enum { KEPT_SIGNALS = sizeof(kept_signals) / sizeof(*kept_signals) };

static volatile sig_atomic_t to_end, to_stop, resized;
static sigset_t mask_before;
static struct sigaction action_before[KEPT_SIGNALS];
static struct termios keys_before;
static bool has_keys; /* standard input is a terminal, and has not ended */

struct screen_size screen_size(int fd)
{
	struct winsize size = { .ws_col = 0 };
	if (!isatty(fd) || ioctl(fd, TIOCGWINSZ, &size) < 0)
		return (struct screen_size){ 0, 0 };
	return (struct screen_size){ size.ws_col, size.ws_row };
}

void screen_print_cut(const char *text, unsigned columns, FILE *to)
{
	while (*text != '\0') {
		size_t length = strcspn(text, "\n");
		size_t fits = columns ? utf8_cut(text, columns) : length;
		fprintf(to, "%.*s\n", (int)(fits < length ? fits : length), text);
		text += length + (text[length] == '\n');
	}
}

static void signal_note(int number)
{
	if (number == SIGTSTP)
		to_stop = 1;
	else if (number == SIGWINCH || number == SIGCONT)
		resized = 1;
	else
		to_end = 1;
}

/* They arrive only while screen_wait() waits. */
static void signals_keep(void)
{
	struct sigaction action = { .sa_handler = signal_note };
	sigset_t kept;
	sigemptyset(&kept);
	for (int i = 0; i < KEPT_SIGNALS; i++)
		sigaddset(&kept, kept_signals[i]);
	sigprocmask(SIG_BLOCK, &kept, &mask_before);
	for (int i = 0; i < KEPT_SIGNALS; i++)
		sigaction(kept_signals[i], &action, &action_before[i]);
}

static void take(void)
{
	has_keys = tcgetattr(STDIN_FILENO, &keys_before) == 0;
	if (has_keys) {
		struct termios keys = keys_before;
		keys.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
		keys.c_cc[VMIN] = 1;
		keys.c_cc[VTIME] = 0;
		tcsetattr(STDIN_FILENO, TCSANOW, &keys);
	}
	fputs(SCREEN_TAKE, stdout);
	fflush(stdout);
}

static void give_back(void)
{
	fputs(SCREEN_GIVE_BACK, stdout);
	fflush(stdout);
	if (has_keys)
		tcsetattr(STDIN_FILENO, TCSANOW, &keys_before);
}

void screen_enter(void)
{
	signals_keep();
	take();
}

void screen_leave(void)
{
	give_back();
	for (int i = 0; i < KEPT_SIGNALS; i++)
		sigaction(kept_signals[i], &action_before[i], NULL);
	sigprocmask(SIG_SETMASK, &mask_before, NULL);
}

void screen_show(const char *text, struct screen_size size)
{
	fputs("\033[H", stdout);
	for (unsigned line = 1; *text != '\0' && (!size.lines || line <= size.lines); line++) {
		size_t length = strcspn(text, "\n");
		fprintf(stdout, "%s%.*s\033[K", line > 1 ? "\r\n" : "", (int)length, text);
		text += length + (text[length] == '\n');
	}
	fputs("\033[J", stdout);
	fflush(stdout);
}

/* Gives the terminal back, stops as any program does, and goes on. */
static void stop(void)
{
	to_stop = 0;
	give_back();
	raise(SIGSTOP);
	take();
	resized = 1;
}

/* False where nothing came: the input has ended, and is not looked at any more. */
static bool key_read(char *key)
{
	ssize_t length = read(STDIN_FILENO, key, 1);
	if (length == 0 || (length < 0 && errno != EINTR && errno != EAGAIN))
		has_keys = false;
	return length == 1;
}

enum screen_event screen_wait(uint64_t until, char *key)
{
	for (;;) {
		struct pollfd input = { .fd = has_keys ? STDIN_FILENO : -1, .events = POLLIN };
		uint64_t now = clock_now(), left = now < until ? until - now : 0;
		const struct timespec wait = { (time_t)(left / SECOND), (long)(left % SECOND) };
		int ready = ppoll(&input, 1, &wait, &mask_before);
		if (to_end)
			return SCREEN_END;
		if (to_stop)
			stop();
		if (resized) {
			resized = 0;
			return SCREEN_RESIZED;
		}
		if (ready == 0)
			return SCREEN_TIME;
		if (ready > 0 && key_read(key))
			return SCREEN_KEY;
	}
}
