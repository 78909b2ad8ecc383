# Fuzzing: included by the Makefile. Each tests/fuzz/NAME.c with a LLVMFuzzerTestOneInput() is a program of libFuzzer's, with the address
# and the undefined behaviour sanitizers, the library's own objects included; its first inputs are tests/fuzz/corpus/NAME/.

FUZZ := $(BUILD)/fuzz
FUZZ_SECONDS ?= 60
FUZZ_TARGETS := $(patsubst tests/fuzz/%.c,%,$(shell grep -l '^int LLVMFuzzerTestOneInput' tests/fuzz/*.c))
FUZZ_SHARED := $(filter-out $(FUZZ_TARGETS:%=tests/fuzz/%.c),$(wildcard tests/fuzz/*.c))

fuzz-programs:
	+@$(MAKE) --no-print-directory $(if $(Q),-s) BUILD=$(FUZZ) CC=clang LIBRARY_CFLAGS= HARDENING= \
		CFLAGS='-O1 -g -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all' \
		$(FUZZ_TARGETS:%=$(FUZZ)/tests/fuzz/%)

# With the functions that a program calls, and not only what is below them.
$(BUILD)/tests/fuzz/calls: $(HOOK_OBJECTS)

$(FUZZ_TARGETS:%=$(BUILD)/tests/fuzz/%): $(BUILD)/%: $(BUILD)/%.o $(FUZZ_SHARED:%.c=$(BUILD)/%.o) $(BUILD)/testable.a
	$(call say,FUZZ,$@)$(CC) $(CFLAGS) -fsanitize=fuzzer -o $@ $(filter %.o,$^) $(filter %.a,$^) $(PKG_LIBS) -ldl -pthread

# FUZZ_SECONDS for each target; what is found is kept in $(FUZZ)/found.
fuzz: fuzz-programs
	@tests/fuzz/run.sh $(FUZZ) $(FUZZ_SECONDS) $(FUZZ_TARGETS)

.PHONY: fuzz fuzz-programs
