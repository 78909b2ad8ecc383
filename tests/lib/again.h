/* again.h - a suite played once more, by another one that has told it of other programs or of another way to run them. */
#ifndef PORTSHIM_TESTS_AGAIN_H
#define PORTSHIM_TESTS_AGAIN_H

/* The path of a suite, "shim/test_ways", below the build folder; one of a few static buffers. */
const char *again_suite(const char *suite);

/* Runs what `filter`, as Criterion has it (NULL: everything), names of the suite of that path, with the environment as it is. All
 * must pass, and be so many tests at least. */
void again(const char *path, const char *filter, int tests);

#endif
