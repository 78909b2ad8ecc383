/* screen.h - a terminal: how large it is, lines cut to fit, and the whole of it taken for a while. */
#ifndef PORTSHIM_TOOLS_SCREEN_H
#define PORTSHIM_TOOLS_SCREEN_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct screen_size {
	unsigned columns, lines; /* 0: no limit */
};

/* Of the terminal on the descriptor; no limit where it is none, or does not say. */
struct screen_size screen_size(int fd);

/* Prints the lines of `text`, each cut to `columns` (0: not cut). No escape sequences may be in them. */
void screen_print_cut(const char *text, unsigned columns, FILE *to);

/* Takes the terminal on standard output, and standard input for keys if that is one too, until screen_leave(). Signals
 * that end, stop or resize it are kept for screen_wait(). */
void screen_enter(void);
void screen_leave(void);

/* Shows lines, which may have sequences for colours, as the whole screen; what is too many is left out. */
void screen_show(const char *text, struct screen_size size);

/* What woke screen_wait(). */
enum screen_event { SCREEN_TIME, SCREEN_KEY, SCREEN_RESIZED, SCREEN_END };

/* Waits until clock_now() is `until`, or for a key (*key), or a signal. Stops and goes on with the shell's job
 * control by itself, which shows as SCREEN_RESIZED. */
enum screen_event screen_wait(uint64_t until, char *key);

#endif
