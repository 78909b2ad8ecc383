/* fuzz.h - what the fuzz targets share. Each is a program of libFuzzer's: LLVMFuzzerTestOneInput() is given bytes, and must hold whatever
 * they are. A broken promise ends it like a crash: the input is kept. */
#ifndef PORTSHIM_TESTS_FUZZ_FUZZ_H
#define PORTSHIM_TESTS_FUZZ_FUZZ_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HOLDS(condition)                                                                             \
	do {                                                                                         \
		if (!(condition)) {                                                                  \
			fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #condition); \
			abort();                                                                     \
		}                                                                                    \
	} while (0)

/* The input, taken piece by piece from its front; zeros when it is used up. */
struct bytes {
	const uint8_t *at;
	size_t left;
};

static inline uint64_t bytes_take(struct bytes *bytes, size_t n)
{
	uint64_t value = 0;

	for (; n; n--) {
		value = value << 8 | (bytes->left ? *bytes->at : 0);
		if (bytes->left) {
			bytes->at++;
			bytes->left--;
		}
	}
	return value;
}

#endif
