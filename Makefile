# portshim: `make` builds, `make demo` shows it, `make test` proves it; `make install` as usual.

PREFIX ?= /usr/local
DESTDIR ?=
BINDIR ?= $(PREFIX)/bin
LIBDIR ?= $(PREFIX)/lib
LIBDIR32 ?= $(PREFIX)/$(LIB32)
MANDIR ?= $(PREFIX)/share/man
SHAREDIR ?= $(PREFIX)/share/portshim
UNITDIR ?= $(PREFIX)/lib/systemd/system
BASHDIR ?= $(PREFIX)/share/bash-completion/completions
# Debian's zsh looks there below /usr, and in site-functions below /usr/local.
ZSHDIR ?= $(PREFIX)/share/zsh/$(if $(wildcard $(PREFIX)/share/zsh/vendor-completions),vendor-completions,site-functions)
FISHDIR ?= $(PREFIX)/share/fish/vendor_completions.d
BUILD ?= build
VERSION := 0.1.0

CC ?= cc
INSTALL ?= install
PKG_LIBS ?= -l:libinih.a

WERROR ?= -Werror
WARNINGS := -Wall -Wextra -Wshadow -Wmissing-prototypes -Wstrict-prototypes -Wvla $(WERROR)
HARDENING := -fstack-protector-strong -fstack-clash-protection
ifeq ($(findstring _FORTIFY_SOURCE,$(CFLAGS) $(CPPFLAGS)),)
HARDENING += -D_FORTIFY_SOURCE=2
endif
ifneq ($(filter x86_64-% i386-% i686-%,$(shell $(CC) -dumpmachine)),)
HARDENING += -fcf-protection
endif
CFLAGS ?= -O2 -g
override CFLAGS += -std=gnu11 -fPIC -fvisibility=hidden $(WARNINGS) $(HARDENING)
override CPPFLAGS += -I. -D_FILE_OFFSET_BITS=64 -DPORTSHIM_VERSION='"$(VERSION)"'
override LDFLAGS += -Wl,-z,now,-z,relro,-z,noexecstack

# What the loaders of both word sizes put for "$$LIB", ld.so(8): the folder that they are in themselves.
lib_of_loader = $(patsubst usr/%,%,$(patsubst /%/,%,$(dir $(realpath $(1)))))
LIB64 := $(call lib_of_loader,/lib64/ld-linux-x86-64.so.2)
LIB32 := $(call lib_of_loader,/lib/ld-linux.so.2)

# A hook may run on the smallest of signal stacks.
LIBRARY_CFLAGS := -Wframe-larger-than=1024

ifneq ($(V),1)
Q := @
say = @echo "  $(1)	$(2)";
endif

CONFIG_OBJECTS := $(patsubst %.c,$(BUILD)/%.o,$(wildcard config/*.c))
SHIM_OBJECTS := $(patsubst %.c,$(BUILD)/%.o,$(wildcard shim/*.c))
HOOK_OBJECTS := $(patsubst %.c,$(BUILD)/%.o,$(wildcard shim/hooks*.c))
TOOL_OBJECTS := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tools/*.c tools/*/*.c))

all: $(BUILD)/libportshim.so $(BUILD)/portshim

$(BUILD)/libportshim.so: $(CONFIG_OBJECTS) $(SHIM_OBJECTS) $(BUILD)/exports.map
	$(call say,LINK,$@)$(CC) $(CFLAGS) $(LDFLAGS) -shared -Wl,-soname,libportshim.so -Wl,-z,defs \
		-Wl,--version-script=$(BUILD)/exports.map -Wl,--exclude-libs,ALL \
		-o $@ $(CONFIG_OBJECTS) $(SHIM_OBJECTS) $(PKG_LIBS) -ldl

# The same for 32-bit programs (i386), by gcc -m32: build/$LIB/libportshim.so is the right one of both for every loader.
BUILD32 := $(BUILD)/i386
ARCHIVE32 := $(BUILD)/inih-i386/libinih.a
CC32 = $(CC) -m32 -Wno-psabi -idirafter /usr/include/$(shell $(CC) -print-multiarch)
MAKE32 = $(MAKE) --no-print-directory $(if $(Q),-s) BUILD=$(BUILD32) CC='$(CC32)' PKG_LIBS=$(ARCHIVE32)

lib32: $(BUILD)/libportshim.so $(ARCHIVE32)
	+@$(MAKE32) $(BUILD32)/libportshim.so
	@mkdir -p $(BUILD)/$(LIB32) $(BUILD)/$(LIB64)
	@ln -sf $(abspath $(BUILD32)/libportshim.so) $(BUILD)/$(LIB32)/libportshim.so
	@ln -sf $(abspath $(BUILD)/libportshim.so) $(BUILD)/$(LIB64)/libportshim.so

$(ARCHIVE32):
	@mkdir -p $(@D)
	$(call say,FETCH,$@)tools/packaging/foreign.sh i386 libinih-dev usr/lib/i386-linux-gnu/libinih.a $@

# What the tool shares with the library: all but the names that a program calls.
$(BUILD)/engine.a: $(CONFIG_OBJECTS) $(filter-out $(HOOK_OBJECTS),$(SHIM_OBJECTS))
	$(call say,AR,$@)$(RM) $@ && $(AR) qcs $@ $^

$(BUILD)/portshim: $(TOOL_OBJECTS) $(BUILD)/engine.a
	$(call say,LINK,$@)$(CC) $(CFLAGS) $(LDFLAGS) -pie -o $@ $(TOOL_OBJECTS) $(BUILD)/engine.a $(PKG_LIBS) -ldl -pthread

# The names that the library exports are those of the table of hooks, and no others.
$(BUILD)/exports.map: shim/exports.map.in shim/hooks.def
	@mkdir -p $(@D)
	$(call say,MAP,$@)$(CC) -E -P -x c -Ishim $< -o $@

$(BUILD)/config/%.o $(BUILD)/shim/%.o: override CFLAGS += $(LIBRARY_CFLAGS)

$(BUILD)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call say,CC,$@)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# What has LIBDIR compiled in is made again when that is another: `make`, then `make install LIBDIR=...`.
$(BUILD)/tools/library.o: override CPPFLAGS += -DLIBDIR='"$(LIBDIR)"'
$(BUILD)/tools/library.o: $(BUILD)/libdir
$(BUILD)/libdir: FORCE
	@mkdir -p $(@D)
	@echo '$(LIBDIR)' | cmp -s - $@ || echo '$(LIBDIR)' >$@

include tests/tests.mk
include tests/sanitized.mk
include tests/coverage.mk
include tests/fuzz/fuzz.mk
include tools/packaging/packages.mk

# --- set-up, demonstration ---------------------------------------------------------------------------

# Installs what is missing to build and to test, with apt-get; says so and stops where that cannot be.
deps:
	@tools/packaging/deps.sh

demo:
	@tools/packaging/deps.sh demo
	@$(MAKE) --no-print-directory all $(BUILD)/tests/probes/show_peer
	@tools/demo.sh $(BUILD)

# --- installation --------------------------------------------------------------------------------------

# Each shell's completion, and where that shell looks for it.
COMPLETIONS := bash=$(BASHDIR)/portshim zsh=$(ZSHDIR)/_portshim fish=$(FISHDIR)/portshim.fish

# The library is a new file that takes the old one's name: where /etc/ld.so.preload names it, every program that starts in
# between needs a whole one.
put_library = $(INSTALL) -m 0644 $(1) '$(2)/.libportshim.so.new' && mv -f '$(2)/.libportshim.so.new' '$(2)/libportshim.so'

# systemd's units and drop-ins, with the paths of this installation: of the library the one for both word sizes, where it is
# installed so.
UNITS := $(wildcard tools/systemd/*.service tools/systemd/*.timer)
DROPINS := $(wildcard tools/systemd/*.conf)
PRELOAD = $(if $(filter $(PREFIX)/$(LIB64),$(LIBDIR)),$(PREFIX)/\$$LIB,$(LIBDIR))/libportshim.so
put_unit = sed -e "s,@BINDIR@,$(BINDIR)," -e "s,@SHAREDIR@,$(SHAREDIR)," -e "s,@PRELOAD@,$(PRELOAD)," $(1) >'$(2)/$(notdir $(1))' && \
	chmod 0644 '$(2)/$(notdir $(1))'

install: all
	$(INSTALL) -d '$(DESTDIR)$(BINDIR)' '$(DESTDIR)$(LIBDIR)' '$(DESTDIR)$(MANDIR)/man1' \
		'$(DESTDIR)$(MANDIR)/man5' '$(DESTDIR)$(MANDIR)/man7'
	$(INSTALL) -m 0755 $(BUILD)/portshim '$(DESTDIR)$(BINDIR)/portshim'
	$(call put_library,$(BUILD)/libportshim.so,$(DESTDIR)$(LIBDIR))
	for section in 1 5 7; do for page in tools/man/*.$$section; do \
		$(INSTALL) -m 0644 $$page '$(DESTDIR)$(MANDIR)'/man$$section/ || exit 1; done; done
	$(INSTALL) -d '$(DESTDIR)$(UNITDIR)' '$(DESTDIR)$(SHAREDIR)/systemd'
	$(foreach unit,$(UNITS),$(call put_unit,$(unit),$(DESTDIR)$(UNITDIR)) &&) :
	$(INSTALL) -m 0644 portshim.conf.example '$(DESTDIR)$(SHAREDIR)/portshim.conf.example'
	$(foreach unit,$(DROPINS),$(call put_unit,$(unit),$(DESTDIR)$(SHAREDIR)/systemd) &&) :
	for shell in $(COMPLETIONS); do \
		$(INSTALL) -D -m 0644 tools/completions/portshim.$${shell%%=*} '$(DESTDIR)'$${shell#*=} || exit 1; done

# Both libraries, for `portshim run` below one folder and the loaders' $$LIB: PREFIX/$$LIB, where LIBDIR has a link if it is another.
install-lib32: lib32 install
	$(INSTALL) -d '$(DESTDIR)$(LIBDIR32)' '$(DESTDIR)$(PREFIX)/$(LIB64)'
	$(call put_library,$(BUILD32)/libportshim.so,$(DESTDIR)$(LIBDIR32))
	test -e '$(DESTDIR)$(PREFIX)/$(LIB64)/libportshim.so' || \
		ln -sr '$(DESTDIR)$(LIBDIR)/libportshim.so' '$(DESTDIR)$(PREFIX)/$(LIB64)/libportshim.so'

# Not while /etc/ld.so.preload names the library: every program that starts would complain.
uninstall:
	@! grep -qs 'libportshim\.so' '$(DESTDIR)/etc/ld.so.preload' || { \
		echo "uninstall: $(DESTDIR)/etc/ld.so.preload names the library: take it out there, then try again" >&2; \
		exit 1; }
	$(RM) '$(DESTDIR)$(LIBDIR32)/libportshim.so' '$(DESTDIR)$(PREFIX)/$(LIB64)/libportshim.so'
	$(RM) '$(DESTDIR)$(BINDIR)/portshim' '$(DESTDIR)$(LIBDIR)/libportshim.so'
	for page in $(notdir $(wildcard tools/man/*.[157])); do \
		$(RM) '$(DESTDIR)$(MANDIR)'/man$${page##*.}/$$page; done
	$(RM) $(foreach unit,$(notdir $(UNITS)),'$(DESTDIR)$(UNITDIR)/$(unit)')
	$(RM) -r '$(DESTDIR)$(SHAREDIR)'
	for shell in $(COMPLETIONS); do $(RM) '$(DESTDIR)'$${shell#*=}; done

clean:
	$(RM) -r $(BUILD)

.PHONY: all lib32 deps demo install install-lib32 uninstall clean
.DELETE_ON_ERROR:

-include $(shell find $(BUILD) \( -name system-root -o -path $(BUILD)/judges \) -prune -o -name '*.d' -type f -print 2>/dev/null)
