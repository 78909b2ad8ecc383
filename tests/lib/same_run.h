/* same_run.h - what a program sees is the same with the library as without it.
 *
 * The probe `same` is run bare, under policies none of whose rules concerns it, and under rules that give it ports. What
 * it prints is compared line by line; numbers of ports are not printed there but on stderr, and looked at here. */
#ifndef PORTSHIM_TESTS_SAME_RUN_H
#define PORTSHIM_TESTS_SAME_RUN_H

/* Both below the build folder; no library: the usual one. */
struct same {
	const char *probe, *library;
};

/* `scene`: one of the probe's; NULL: those of the role. */
void is_the_same(const struct same *same, const char *role, const char *scene);

#endif
