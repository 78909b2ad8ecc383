# `make coverage`: which lines and branches of the code the suites reach; included by the Makefile.
#
# clang builds library and command in $(BUILD)/coverage so that each counts what it runs in a file that is mapped (%c), one for all
# processes of a program (%m): so what ends by _exit(2) or is killed has counted as well, and nothing is done at exit. The suites and
# probes are the ordinary ones; those of unit/ are linked with the counting objects. What is left out is in tests/coverage.txt.

COVERAGE := $(BUILD)/coverage
COVERAGE_RAW := $(abspath $(COVERAGE))/raw
COVERAGE_FLAGS := -fprofile-instr-generate=$(COVERAGE_RAW)/%c%m.profraw -fprofile-update=atomic -mllvm -runtime-counter-relocation \
	-fcoverage-mapping
COVERAGE_UNITS := $(patsubst $(BUILD)/tests/%,$(COVERAGE)/tests/%,$(filter $(BUILD)/tests/unit/%,$(SUITES)))
COVERAGE_FOLDERS := $(filter-out unit,$(sort $(patsubst tests/%/,%,$(wildcard tests/*/))))

coverage-programs: tests
	+@$(MAKE) --no-print-directory $(if $(Q),-s) BUILD=$(COVERAGE) CC=clang LIBRARY_CFLAGS= HARDENING= WERROR=-w \
		CFLAGS='-O1 -g $(COVERAGE_FLAGS)' all $(COVERAGE)/testable.a
	+@$(MAKE) --no-print-directory $(COVERAGE_UNITS)
	@mkdir -p $(COVERAGE)/tests $(COVERAGE_RAW)
	@ln -sfn ../kinds $(COVERAGE)/kinds
	@ln -sfn ../musl $(COVERAGE)/musl
	@for folder in $(COVERAGE_FOLDERS); do ln -sfn ../../tests/$$folder $(COVERAGE)/tests/$$folder; done

$(COVERAGE)/tests/unit/%: $(BUILD)/tests/unit/%.o $(COVERAGE)/testable.a
	@mkdir -p $(@D)
	$(call say,TEST,$@)clang -fprofile-instr-generate=$(COVERAGE_RAW)/%c%m.profraw -o $@ $^ $(PKG_LIBS) $(CRITERION_LIBS) -ldl -pthread

coverage: deps
	@$(MAKE) --no-print-directory coverage-programs
	@tests/coverage.sh $(COVERAGE)

.PHONY: coverage-programs coverage
