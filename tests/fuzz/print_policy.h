/* print_policy.h - a policy as the text of a file, which reads as the same policy again. */
#ifndef PORTSHIM_TESTS_FUZZ_PRINT_POLICY_H
#define PORTSHIM_TESTS_FUZZ_PRINT_POLICY_H

#include <stdio.h>

#include "config/policy.h"

void policy_print(FILE *to, const struct policy *policy);

#endif
