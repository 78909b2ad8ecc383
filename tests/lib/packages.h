/* packages.h - the packages that `make packages` makes, for the tests that look into them and install them. */
#ifndef PORTSHIM_TESTS_PACKAGES_H
#define PORTSHIM_TESTS_PACKAGES_H

/* Makes what is not there yet or older than the sources: `make TARGET`, one at a time. Needs the network where they were never made
 * (a library for i386), so it comes before net_own(). */
void packages_make(const char *target);

/* The one file that a pattern below the build folder names ("deb/portshim_*_amd64.deb"), absolute; one of a few static buffers. */
const char *package(const char *pattern);

#endif
