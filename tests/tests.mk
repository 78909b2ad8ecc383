# Building and running the tests; included by the Makefile.
#
#   unit/      config/ and parts of shim/ linked directly          (Criterion)
#   shim/      small programs (probes/) run under the library       (Criterion)
#   tools/     the command                                          (Criterion)
#   stories/   programs from Debian's packages, end to end          (Criterion)
#   escapes/   what passes by the library: each test says "not covered"    (Criterion)
#   system/    a whole machine under it                             (Criterion)
#   company/   the library among others: preloads, sanitizers, debuggers, sandboxes (Criterion)
#   transparency/  what a program sees, bare and under the library (Criterion)
#   storm/     signals, forks and cancellation at every instruction of a call (Criterion)
#   faults/    a system call of ours fails, a process is killed or stopped at it, the table is where it should not be, a clock jumps (Criterion)
#   i386/      32-bit programs beside 64-bit ones               (Criterion)
#   arm64/     programs of a 64-bit ARM, run by qemu-user           (Criterion)
#   oldkernel/ the same in another kernel, Linux 6.1: `make test-oldkernel`; or with late ports hidden: `make test-early`
#   protocols/ SCTP, DCCP and UDP-Lite, where the kernel has them  (Criterion)
#   stand-in/  for Criterion, where that does not run
#   supervise/ programs that no preloaded library reaches, under the supervisor    (Criterion)
#   hostile/   others who write policies and tables             (Criterion)
#   bench/     what it costs: `make bench`
#   soak/      a crowd, with every fault there is, for half an hour: `make soak`
#   platform/  what we rely on of the kernel and libc, as programs
#   model/     the protocol of the table, every interleaving of it (spin)
#   supervise/ the processes around a supervised program           (Criterion)
#   kinds/     languages and kinds of executables                  (Criterion)
#   fuzz/      any input: `make fuzz`                               (libFuzzer)
#   judges/    other people's test suites under the library: `make test-long`
#   lib/       what the Criterion tests share

TEST_CFLAGS := -Wno-unused-parameter
CRITERION_LIBS ?= -lcriterion
PROBES := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/probes/*.c))
PLATFORM := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/platform/*.c))
SUITES := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/*/test_*.c))
# What the benchmark starts; all else of bench/ is the benchmark.
BENCH_PROGRAMS := load hold idle steps
BENCH_SOURCES := $(filter-out $(BENCH_PROGRAMS:%=tests/bench/%.c) tests/bench/nothing.c,$(wildcard tests/bench/*.c))
BENCH_OBJECTS := $(BENCH_SOURCES:%.c=$(BUILD)/%.o)
BENCH := $(BENCH_PROGRAMS:%=$(BUILD)/tests/bench/%) $(BUILD)/tests/bench/nothing.so $(BUILD)/tests/bench/bench
# The soak: the conductor, which is the servers too, and what it starts.
SOAK := $(BUILD)/tests/soak/soak $(BUILD)/tests/soak/load
SOAK_SHARED := $(BUILD)/tests/soak/pools.o $(BUILD)/tests/soak/figures.o
SOAK_SECONDS ?= 1800
TEST_LIB_OBJECTS := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/lib/*.c))
# What a test may link of the library and the tool: all but the entry points.
LINKABLE := $(CONFIG_OBJECTS) $(filter-out $(HOOK_OBJECTS),$(SHIM_OBJECTS)) $(filter-out %/main.o,$(TOOL_OBJECTS))

$(BUILD)/tests/%.o: override CFLAGS += $(TEST_CFLAGS)

$(BUILD)/testable.a: $(LINKABLE) $(TEST_LIB_OBJECTS)
	$(call say,AR,$@)$(RM) $@ && $(AR) qcs $@ $^

$(BUILD)/tests/probes/static_%: tests/probes/static_%.c Makefile
	@mkdir -p $(@D)
	$(call say,PROBE,$@)$(CC) $(CPPFLAGS) $(CFLAGS) -static -o $@ $<

$(BUILD)/tests/probes/%: tests/probes/%.c $(wildcard tests/probes/*.h) Makefile
	@mkdir -p $(@D)
	$(call say,PROBE,$@)$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -pie -o $@ $< -pthread $(PROBE_LIBS)

# One is the supervisor's processes without what they are for.
$(BUILD)/tests/probes/supervised: tests/probes/supervised.c $(BUILD)/testable.a Makefile
	@mkdir -p $(@D)
	$(call say,PROBE,$@)$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -pie -o $@ $< $(BUILD)/testable.a -pthread

# Clients by libraries of their own.
$(BUILD)/tests/probes/cares_lookup: PROBE_LIBS := -lcares
$(BUILD)/tests/probes/many_homed: tests/probes/act.c
$(BUILD)/tests/probes/many_homed: PROBE_LIBS := -lsctp
$(BUILD)/tests/probes/tirpc_%: PROBE_LIBS := -ltirpc
$(BUILD)/tests/probes/tirpc_%: override CPPFLAGS += -isystem /usr/include/tirpc

# The probe `act` as each kind of executable. `symbolic`: all of it in a library that looks for names in itself first.
KINDS_PATH := $(BUILD)/kinds
KINDS := $(patsubst %,$(KINDS_PATH)/%,pie no_pie lazy now no_plt symbolic static static_pie libsymbolic.so)
kinds_pie := -fPIE -pie
kinds_no_pie := -fno-pie -no-pie
kinds_lazy := -fPIE -pie -Wl,-z,lazy
kinds_now := -fPIE -pie -Wl,-z,now
kinds_no_plt := -fPIE -pie -fno-plt
kinds_static := -static
kinds_static_pie := -static-pie
kinds_libsymbolic.so := -fPIC -shared -Wl,-Bsymbolic

$(KINDS_PATH)/%: tests/probes/act.c $(wildcard tests/probes/*.h) Makefile tests/tests.mk
	@mkdir -p $(@D)
	$(call say,KIND,$@)$(CC) -I. -std=gnu11 -O2 $(kinds_$(@F)) -o $@ $< -pthread

$(KINDS_PATH)/symbolic: $(KINDS_PATH)/libsymbolic.so
	$(call say,KIND,$@)$(CC) -o $@ -L$(KINDS_PATH) -lsymbolic -Wl,-rpath,'$$ORIGIN'

# Clients in languages that are compiled. Those of Go with cgo are linked to libc, and make their calls themselves.
COMPILED := $(patsubst %,$(KINDS_PATH)/%,rust go_pure go_cgo)
GO := GOCACHE=$(abspath $(KINDS_PATH))/.cache GOFLAGS= GO111MODULE=off /usr/bin/go

$(KINDS_PATH)/rust: tests/kinds/clients/client.rs
	@mkdir -p $(@D)
	$(call say,RUST,$@)/usr/bin/rustc -O -o $@ $<

$(KINDS_PATH)/go_pure: tests/kinds/clients/client.go
	@mkdir -p $(@D)
	$(call say,GO,$@)CGO_ENABLED=0 $(GO) build -o $@ $<

$(KINDS_PATH)/go_cgo: tests/kinds/clients/client_cgo.go
	@mkdir -p $(@D)
	$(call say,GO,$@)CGO_ENABLED=1 CC='$(CC)' $(GO) build -o $@ $<

# The library, the command and two probes once more, for another C library: musl's, as Debian has it. The kernel's headers
# and inih are the machine's own; what inih's archive calls is in musl too.
MUSL := $(BUILD)/musl
MUSL_CC := musl-gcc
MUSL_CPPFLAGS := -idirafter $(abspath $(MUSL))/include
MUSL_BUILT := $(patsubst %,$(MUSL)/%,libportshim.so act same static_act)

$(MUSL)/include:
	@mkdir -p $@
	@ln -sf /usr/include/linux /usr/include/asm-generic /usr/include/$(shell $(MUSL_CC) -print-multiarch)/asm \
		/usr/include/ini.h $@

$(MUSL)/libportshim.so: $(wildcard config/*.[ch] shim/*.[ch] shim/*.def tools/*.[ch] tools/*/*.[ch]) Makefile | $(MUSL)/include
	@$(MAKE) --no-print-directory BUILD=$(MUSL) CC=$(MUSL_CC) CFLAGS='-O2 -g' CPPFLAGS='$(MUSL_CPPFLAGS)' \
		PKG_LIBS=$(shell $(CC) -print-file-name=libinih.a) all

$(MUSL)/static_%: tests/probes/%.c $(wildcard tests/probes/*.h) Makefile | $(MUSL)/include
	$(call say,MUSL,$@)$(MUSL_CC) $(MUSL_CPPFLAGS) -I. -std=gnu11 -O2 -static -o $@ $< -pthread

$(MUSL)/%: tests/probes/%.c $(wildcard tests/probes/*.h) Makefile | $(MUSL)/include
	$(call say,MUSL,$@)$(MUSL_CC) $(MUSL_CPPFLAGS) -I. -std=gnu11 -O2 -o $@ $< -pthread

$(BUILD)/tests/platform/%: tests/platform/%.c tests/platform/fact.h Makefile
	@mkdir -p $(@D)
	$(call say,FACT,$@)$(CC) $(CPPFLAGS) $(CFLAGS) -o $@ $< -pthread

$(BUILD)/tests/bench/%: tests/bench/%.c Makefile
	@mkdir -p $(@D)
	$(call say,BENCH,$@)$(CC) $(CPPFLAGS) $(CFLAGS) -o $@ $<

$(BUILD)/tests/bench/%.so: tests/bench/%.c Makefile
	@mkdir -p $(@D)
	$(call say,BENCH,$@)$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -shared -o $@ $<

$(BUILD)/tests/bench/bench: $(BENCH_OBJECTS)
	$(call say,BENCH,$@)$(CC) $(CFLAGS) -o $@ $^ -lm

$(BUILD)/tests/soak/soak: $(BUILD)/tests/soak/soak.o $(BUILD)/tests/soak/serve.o $(SOAK_SHARED) $(BUILD)/tests/bench/stage.o $(BUILD)/tests/bench/measure.o
$(BUILD)/tests/soak/load: $(BUILD)/tests/soak/load.o $(SOAK_SHARED)
$(SOAK):
	$(call say,SOAK,$@)$(CC) $(CFLAGS) -o $@ $^ -pthread -lm

$(SUITES): $(BUILD)/%: $(BUILD)/%.o $(BUILD)/testable.a
	$(call say,TEST,$@)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $< $(BUILD)/testable.a $(PKG_LIBS) $(CRITERION_LIBS) -ldl -pthread

# They believe what these print of themselves, and send signals accordingly.
$(patsubst %,$(BUILD)/tests/supervise/test_%,front stops terminal): | $(BUILD)/tests/probes/supervised $(BUILD)/tests/probes/stand

# Probes once more as 32-bit programs, with 32 bits for time as is usual there and with 64; suites of i386/ run them.
PROGRAMS32 := $(addprefix tests/probes/,act fan run_show same static_hello swarm threads)
PROGRAMS_TIME64 := $(filter-out %/static_hello,$(PROGRAMS32))
# And the unit tests, by a stand-in for Criterion, which there is for 64 bits only.
UNITS32 := $(patsubst %.c,%,$(wildcard tests/unit/test_*.c))

programs32: lib32 $(BUILD)/portshim
	+@$(MAKE32) $(PROGRAMS32:%=$(BUILD32)/%) $(BUILD32)/kinds/static
	+@$(MAKE32) BUILD=$(BUILD32)/time64 CPPFLAGS=-D_TIME_BITS=64 $(PROGRAMS_TIME64:%=$(BUILD32)/time64/%)
	+@$(MAKE32) CPPFLAGS='-isystem tests/stand-in' CRITERION_LIBS=$(BUILD32)/tests/stand-in/main.o \
		$(BUILD32)/tests/stand-in/main.o $(UNITS32:%=$(BUILD32)/%)
	@ln -sf $(abspath $(BUILD)/portshim) $(BUILD32)/portshim
	@ln -sf $(abspath $(BUILD)/portshim) $(BUILD32)/time64/portshim

# The library, two probes and unit tests for a 64-bit ARM, by Debian's cross compiler; suites of arm64/ run them.
ARM64 := $(BUILD)/arm64
ARCHIVE_ARM64 := $(BUILD)/inih-arm64/libinih.a
UNITS_ARM64 := $(patsubst %.c,%,$(wildcard tests/unit/test_*.c))
MAKE_ARM64 = $(MAKE) --no-print-directory $(if $(Q),-s) BUILD=$(ARM64) CC='aarch64-linux-gnu-gcc -idirafter /usr/include' \
	PKG_LIBS=$(ARCHIVE_ARM64)

$(ARCHIVE_ARM64):
	@mkdir -p $(@D)
	$(call say,FETCH,$@)tools/packaging/foreign.sh arm64 libinih-dev usr/lib/aarch64-linux-gnu/libinih.a $@

programs_arm64: $(ARCHIVE_ARM64)
	+@$(MAKE_ARM64) $(ARM64)/libportshim.so $(ARM64)/tests/probes/act $(ARM64)/tests/probes/swarm
	+@$(MAKE_ARM64) CPPFLAGS='-isystem tests/stand-in' CRITERION_LIBS=$(ARM64)/tests/stand-in/main.o \
		$(ARM64)/tests/stand-in/main.o $(UNITS_ARM64:%=$(ARM64)/%)

ifeq ($(shell uname -m),x86_64)
tests: programs32 programs_arm64
else
# The probe that some of these run reaches into the registers of its children.
SUITES := $(filter-out $(BUILD)/tests/i386/% $(BUILD)/tests/arm64/% $(addprefix $(BUILD)/tests/faults/test_,calls ends needs),$(SUITES))
PROBES := $(filter-out %/fault,$(PROBES))
endif

# company/: probes built with a sanitizer by either compiler.
SANITIZERS := address thread undefined
COMPANY := $(foreach compiler,gcc clang,$(foreach kind,$(SANITIZERS),\
	$(foreach probe,act threads,$(BUILD)/tests/company/$(compiler)-$(kind)/$(probe)))) \
	$(BUILD)/tests/company/lazy/act $(BUILD)/tests/company/audit.so $(BUILD)/tests/company/eager.so
define sanitized_probe
$(BUILD)/tests/company/$(1)-$(2)/%: tests/probes/%.c $$(wildcard tests/probes/*.h) Makefile tests/tests.mk
	@mkdir -p $$(@D)
	$$(call say,PROBE,$$@)$(1) $$(CPPFLAGS) -std=gnu11 -g -O1 -fsanitize=$(2) -o $$@ $$< -pthread
endef
$(foreach compiler,gcc clang,$(foreach kind,$(SANITIZERS),$(eval $(call sanitized_probe,$(compiler),$(kind)))))

$(BUILD)/tests/company/lazy/%: tests/probes/%.c $(wildcard tests/probes/*.h) Makefile
	@mkdir -p $(@D)
	$(call say,PROBE,$@)$(CC) $(CPPFLAGS) $(CFLAGS) -fcf-protection=none -Wl,-z,lazy -pie -o $@ $< -pthread

$(BUILD)/tests/company/%.so: tests/company/%.c Makefile
	@mkdir -p $(@D)
	$(call say,LIB,$@)$(CC) $(CPPFLAGS) $(CFLAGS) $(TEST_CFLAGS) $(LDFLAGS) -shared -o $@ $<

tests: all $(SUITES) $(PROBES) $(PLATFORM) $(BENCH) $(SOAK) $(KINDS) $(COMPILED) $(MUSL_BUILT) $(COMPANY)

test: deps
	@$(MAKE) --no-print-directory tests
	@PORTSHIM_BUILD=$(abspath $(BUILD)) tests/run.sh $(BUILD)

# The tests of a whole machine again, in a system that debootstrap makes; the first time it takes some minutes.
test-system: deps
	@$(MAKE) --no-print-directory tests
	@tests/system/debootstrap.sh $(BUILD)

# Other people's test suites, bare and under the library: half an hour.
test-long: deps-long
	@$(MAKE) --no-print-directory all
	@tests/judges/run.sh $(BUILD)

deps-long:
	@tools/packaging/deps.sh long

# One table, and $(BUILD)/bench.svg: portshim, the same calls by hand, the bare program, and other ways to choose a port.
bench: all $(BENCH)
	@$(BUILD)/tests/bench/bench $(abspath $(BUILD))

# Half an hour; a minute will do to see that it runs.
soak: all $(SOAK)
	@$(BUILD)/tests/soak/soak $(abspath $(BUILD)) $(SOAK_SECONDS)

# Linux 6.1 in a process of its own, with the machine's files. Criterion wants memory where such a kernel has none for its programs.
OLD := $(BUILD)/oldkernel
OLD_OBJECTS := $(TEST_LIB_OBJECTS:$(BUILD)/%=$(OLD)/%) $(OLD)/tests/stand-in/main.o
OLD_SUITES := $(patsubst %.c,$(OLD)/%,$(wildcard $(patsubst %,tests/%/test_*.c,shim transparency protocols)) tests/storm/test_stack.c)
$(OLD)/tests/protocols/test_sctp: OLD_LIBS := -lsctp
$(BUILD)/tests/protocols/test_sctp: CRITERION_LIBS += -lsctp

$(OLD)/tests/%.o: tests/%.c Makefile tests/tests.mk
	@mkdir -p $(@D)
	$(call say,CC,$@)$(CC) -isystem tests/stand-in $(CPPFLAGS) $(CFLAGS) $(TEST_CFLAGS) -MMD -MP -c -o $@ $<

$(OLD_SUITES): $(OLD)/%: $(OLD)/%.o $(OLD_OBJECTS) $(BUILD)/testable.a
	$(call say,TEST,$@)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $< $(OLD_OBJECTS) $(BUILD)/testable.a $(PKG_LIBS) $(OLD_LIBS) -ldl -pthread

$(OLD)/hide_range: tests/oldkernel/hide_range.c Makefile
	@mkdir -p $(@D)
	$(call say,PROBE,$@)$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $<

oldkernel: all $(OLD_SUITES) $(PROBES) $(PLATFORM) $(OLD)/hide_range

test-oldkernel: deps
	@$(MAKE) --no-print-directory oldkernel
	@tests/oldkernel/run.sh $(BUILD)

# The suites on this kernel, with what late ports rest on hidden.
test-early: deps
	@$(MAKE) --no-print-directory tests $(OLD)/hide_range
	@tests/oldkernel/early.sh $(BUILD)

# Static analysis: no finding is accepted.
check: deps
	@$(MAKE) --no-print-directory tests
	@CC='$(CC)' tests/check.sh $(BUILD) $(VERSION)

.PHONY: tests programs32 programs_arm64 oldkernel test test-oldkernel test-early test-system test-long deps-long bench soak check
.SECONDARY:
