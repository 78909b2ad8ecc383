/* test_arena.c - memory by mmap: aligned, zeroed, sealed, given back. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "config/arena.h"

Test(arena, hands_out_zeroed_aligned_disjoint_memory)
{
	struct arena arena = { NULL };
	unsigned char *at[500];

	for (size_t i = 0; i < 500; i++) {
		at[i] = arena_alloc(&arena, i * 7 + 1);
		cr_assert_not_null(at[i]);
		cr_assert_eq((uintptr_t)at[i] % _Alignof(max_align_t), 0);
		for (size_t j = 0; j < i * 7 + 1; j++)
			cr_assert_eq(at[i][j], 0);
		memset(at[i], (int)i, i * 7 + 1);
	}
	for (size_t i = 0; i < 500; i++)
		for (size_t j = 0; j < i * 7 + 1; j++)
			cr_assert_eq(at[i][j], (unsigned char)i);
	arena_free(&arena);
	cr_assert_null(arena.chunks);
}

Test(arena, gives_more_than_a_chunk_at_once)
{
	struct arena arena = { NULL };
	char *large = arena_alloc(&arena, 20 << 20);

	cr_assert_not_null(large);
	large[(20 << 20) - 1] = 1;
	cr_assert_not_null(arena_alloc(&arena, 1));
	arena_free(&arena);
}

Test(arena, copies_with_a_nul_behind)
{
	struct arena arena = { NULL };

	cr_assert_str_eq(arena_copy(&arena, "abcdef", 3), "abc");
	cr_assert_str_eq(arena_copy(&arena, "", 0), "");
	arena_free(&arena);
}

Test(arena, refuses_what_cannot_be)
{
	struct arena arena = { NULL };

	cr_assert_null(arena_alloc(&arena, SIZE_MAX));
	cr_assert_null(arena_alloc(&arena, SIZE_MAX / 2)); /* mmap's own refusal */
	arena_free(&arena);
}

Test(arena, says_when_memory_is_out)
{
	struct rlimit limit, none;
	struct arena arena = { NULL };
	void *at, *copy;

	getrlimit(RLIMIT_AS, &limit);
	none = limit;
	none.rlim_cur = 1;
	setrlimit(RLIMIT_AS, &none);
	at = arena_alloc(&arena, 1);
	copy = arena_copy(&arena, "a", 1);
	setrlimit(RLIMIT_AS, &limit);
	cr_assert_null(at);
	cr_assert_null(copy);
	arena_free(&arena);
}

Test(arena, sealed_memory_can_be_read)
{
	struct arena arena = { NULL };
	char *kept = arena_copy(&arena, "kept", 4);

	arena_seal(&arena);
	cr_assert_str_eq(kept, "kept");
	arena_seal(&arena); /* once more does no harm */
	cr_assert_str_eq(arena_copy(&arena, "new", 3), "new");
	arena_seal(&arena);
	arena_free(&arena);
}

Test(arena, sealed_memory_cannot_be_written)
{
	struct arena arena = { NULL };
	char *kept = arena_copy(&arena, "kept", 4);
	int zero = open("/dev/zero", O_RDONLY);

	cr_assert_eq(read(zero, kept + 3, 1), 1);
	arena_seal(&arena);
	cr_assert_eq(read(zero, kept, 1), -1);
	cr_assert_eq(errno, EFAULT);
	cr_assert_str_eq(kept, "kep");
	arena_retire(&arena);
	cr_assert_eq(read(zero, kept + 2, 1), 1);
	cr_assert_str_eq(kept, "ke");
	close(zero);
	arena_free(&arena);
}
