# portshim: `make` builds, `make demo` shows it, `make test` proves it; `make install` as usual.

PREFIX ?= /usr/local
DESTDIR ?=
BINDIR ?= $(PREFIX)/bin
LIBDIR ?= $(PREFIX)/lib
MANDIR ?= $(PREFIX)/share/man
BUILD ?= build
VERSION := 0.1.0

CC ?= cc
INSTALL ?= install
PKG_LIBS ?= -l:libinih.a

WARNINGS := -Wall -Wextra -Wshadow -Wmissing-prototypes -Wstrict-prototypes -Wvla -Werror
HARDENING := -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection
ifneq ($(filter x86_64 i386 i686,$(shell uname -m)),)
HARDENING += -fcf-protection
endif
CFLAGS ?= -O2 -g
override CFLAGS += -std=gnu11 -fPIC -fvisibility=hidden $(WARNINGS) $(HARDENING)
override CPPFLAGS += -I. -DPORTSHIM_VERSION='"$(VERSION)"' -DLIBDIR='"$(LIBDIR)"'
override LDFLAGS += -Wl,-z,now,-z,relro,-z,noexecstack

# A hook may run on the smallest of signal stacks.
LIBRARY_CFLAGS := -Wframe-larger-than=1024

ifneq ($(V),1)
Q := @
say = @echo "  $(1)	$(2)";
endif

CONFIG_OBJECTS := $(patsubst %.c,$(BUILD)/%.o,$(wildcard config/*.c))
SHIM_OBJECTS := $(patsubst %.c,$(BUILD)/%.o,$(wildcard shim/*.c))
TOOL_OBJECTS := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tools/*.c))

all: $(BUILD)/libportshim.so $(BUILD)/portshim

$(BUILD)/libportshim.so: $(CONFIG_OBJECTS) $(SHIM_OBJECTS) $(BUILD)/exports.map
	$(call say,LINK,$@)$(CC) $(CFLAGS) $(LDFLAGS) -shared -Wl,-soname,libportshim.so -Wl,-z,defs \
		-Wl,--version-script=$(BUILD)/exports.map -Wl,--exclude-libs,ALL \
		-o $@ $(CONFIG_OBJECTS) $(SHIM_OBJECTS) $(PKG_LIBS) -ldl

# What the tool shares with the library: all but the names that a program calls.
$(BUILD)/engine.a: $(CONFIG_OBJECTS) $(filter-out %/hooks.o,$(SHIM_OBJECTS))
	$(call say,AR,$@)$(RM) $@ && $(AR) qcs $@ $^

$(BUILD)/portshim: $(TOOL_OBJECTS) $(BUILD)/engine.a
	$(call say,LINK,$@)$(CC) $(CFLAGS) $(LDFLAGS) -pie -o $@ $(TOOL_OBJECTS) $(BUILD)/engine.a $(PKG_LIBS) -ldl

# The names that the library exports are those of the table of hooks, and no others.
$(BUILD)/exports.map: shim/exports.map.in shim/hooks.def
	@mkdir -p $(@D)
	$(call say,MAP,$@)$(CC) -E -P -x c -Ishim $< -o $@

$(BUILD)/config/%.o $(BUILD)/shim/%.o: override CFLAGS += $(LIBRARY_CFLAGS)

$(BUILD)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call say,CC,$@)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

include tests/tests.mk

# --- set-up, demonstration ---------------------------------------------------------------------------

# Installs what is missing to build and to test, with apt-get; says so and stops where that cannot be.
deps:
	@tools/packaging/deps.sh

demo:
	@tools/packaging/deps.sh demo
	@$(MAKE) --no-print-directory all $(BUILD)/tests/probes/show_peer
	@tools/demo.sh $(BUILD)

# --- installation --------------------------------------------------------------------------------------

# The library is a new file that takes the old one's name: where /etc/ld.so.preload names it, every program that starts in
# between needs a whole one.
install: all
	$(INSTALL) -d '$(DESTDIR)$(BINDIR)' '$(DESTDIR)$(LIBDIR)' '$(DESTDIR)$(MANDIR)/man1' \
		'$(DESTDIR)$(MANDIR)/man5' '$(DESTDIR)$(MANDIR)/man7'
	$(INSTALL) -m 0755 $(BUILD)/portshim '$(DESTDIR)$(BINDIR)/portshim'
	$(INSTALL) -m 0644 $(BUILD)/libportshim.so '$(DESTDIR)$(LIBDIR)/.libportshim.so.new'
	mv -f '$(DESTDIR)$(LIBDIR)/.libportshim.so.new' '$(DESTDIR)$(LIBDIR)/libportshim.so'
	for section in 1 5 7; do for page in tools/man/*.$$section; do \
		$(INSTALL) -m 0644 $$page '$(DESTDIR)$(MANDIR)'/man$$section/ || exit 1; done; done

# Not while /etc/ld.so.preload names the library: every program that starts would complain.
uninstall:
	@! grep -qs 'libportshim\.so' '$(DESTDIR)/etc/ld.so.preload' || { \
		echo "uninstall: $(DESTDIR)/etc/ld.so.preload names the library: take it out there, then try again" >&2; \
		exit 1; }
	$(RM) '$(DESTDIR)$(BINDIR)/portshim' '$(DESTDIR)$(LIBDIR)/libportshim.so' \
		'$(DESTDIR)$(MANDIR)/man1/portshim.1' '$(DESTDIR)$(MANDIR)/man5/portshim.conf.5' \
		'$(DESTDIR)$(MANDIR)/man7/libportshim.7'

clean:
	$(RM) -r $(BUILD)

.PHONY: all deps demo install uninstall clean
.DELETE_ON_ERROR:

-include $(shell find $(BUILD) -name system-root -prune -o -name '*.d' -print 2>/dev/null)
