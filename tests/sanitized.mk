# The suites once more, in builds that say where the code does what C leaves undefined; included by the Makefile.
#
#   build/sanitized   gcc's address and undefined behaviour sanitizers: library, command, suites and probes
#   build/raced       gcc's thread sanitizer, for what threads do
#
# Each is this Makefile again, with other flags and a folder of its own. Programs of Debian's get the runtime with the library,
# behind their libc, which it has to be told not to mind. What is left out is in tests/sanitized.txt, with the reason.

SANITIZED := $(BUILD)/sanitized
RACED := $(BUILD)/raced
RACED_SUITES := unit/test_facts unit/test_together unit/test_wait shim/test_crowd shim/test_threads
# Criterion does not start under it (its memory lies where the runtime's does); what stands in for it with 32-bit programs does.
RACED_BY := CPPFLAGS='-isystem tests/stand-in' CRITERION_LIBS=$(RACED)/tests/stand-in/main.o
comma := ,

# $(call kept,FILE): the suites that FILE does not leave out.
left_out = $(shell awk '!/^\#/ && $$2 !~ /\// { print $$1 }' $(1))
kept = $(filter-out $(foreach left,$(call left_out,$(1)),$(left) $(left)%),$(SUITES:$(BUILD)/tests/%=%))

# $(call again,FOLDER,FLAGS,SUITES): there, by gcc, with all that a suite may run; what is linked statically, and of other kinds, is
# the ordinary build's. So are warnings: here the compiler sees through less, and has some that mislead. What is of the tests alone is
# to be compiled soon, not to run fast.
again = +@$(MAKE) --no-print-directory $(if $(Q),-s) BUILD=$(1) SUITES='$(3:%=$(1)/tests/%)' LIBRARY_CFLAGS= HARDENING= WERROR=-w CC=gcc \
	CFLAGS='-O1 -g -fno-omit-frame-pointer $(2)' TEST_CFLAGS='$(TEST_CFLAGS) -O0'

again: all $(SUITES) $(filter-out %/static_hello %/static_connect,$(PROBES))
	@ln -sfn ../kinds $(BUILD)/kinds
	@ln -sfn ../musl $(BUILD)/musl
	@ln -sf ../../../tests/probes/static_hello ../../../tests/probes/static_connect $(BUILD)/tests/probes/

sanitized: tests
	$(call again,$(SANITIZED),-fsanitize=address$(comma)undefined -fno-sanitize-recover=all,$(call kept,tests/sanitized.txt)) again

raced: tests
	$(call again,$(RACED),-fsanitize=thread,$(RACED_SUITES)) $(RACED_BY) $(RACED)/tests/stand-in/main.o again

# What is found ends the program, and fails the test. (Leaks: tests/tools/test_valgrind.c.)
ASAN := verify_asan_link_order=0:detect_leaks=0:handle_sigbus=0:strict_string_checks=1:detect_stack_use_after_return=1:check_initialization_order=1

test-sanitized: deps
	@$(MAKE) --no-print-directory sanitized raced
	@ASAN_OPTIONS=$(ASAN) UBSAN_OPTIONS=print_stacktrace=1 PORTSHIM_BUILD=$(abspath $(SANITIZED)) LEFT_OUT=tests/sanitized.txt \
		tests/run.sh $(SANITIZED)
	@PATIENCE=10 TSAN_OPTIONS=halt_on_error=1 PORTSHIM_BUILD=$(abspath $(RACED)) tests/run.sh $(RACED) $(RACED)/tests/

.PHONY: again sanitized raced test-sanitized
