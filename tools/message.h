/* message.h - what the tool says to its user: what, where, the next step; once, in a line on standard error.
 *
 * Words come into it from files, command lines and other users' processes: what a terminal would obey is '?' in it. */
#ifndef PORTSHIM_TOOLS_MESSAGE_H
#define PORTSHIM_TOOLS_MESSAGE_H

/* As printf(3), without the newline; `before` stands behind "portshim: ". errno may change. */
void say(const char *before, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define say_error(format, ...) say("", format, ##__VA_ARGS__)
#define say_info(format, ...) say("", format, ##__VA_ARGS__)
#define say_warning(format, ...) say("warning: ", format, ##__VA_ARGS__)

#endif
