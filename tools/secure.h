/* secure.h - whether a program would start with privileges that its user lacks (AT_SECURE), in which case
 * the dynamic loader takes no LD_PRELOAD. */
#ifndef PORTSHIM_TOOLS_SECURE_H
#define PORTSHIM_TOOLS_SECURE_H

#include <sys/stat.h>

enum secure { SECURE_NO, SECURE_USER, SECURE_GROUP, SECURE_CAPABILITIES };

/* For this process starting the file now: the rules of execve(2), capabilities(7) and ld.so(8). A security
 * module may ask for secure execution on its own; that cannot be told beforehand. */
enum secure secure_execution(const char *path, const struct stat *status);

#endif
