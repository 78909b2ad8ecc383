# The source archive; included by the Makefile.

DIST := $(BUILD)/portshim-$(VERSION).tar.gz

dist: $(DIST)

# Left alone where nothing changed, and all that is made from it as well.
$(DIST): FORCE
	@tools/packaging/dist.sh $(VERSION) $@

FORCE:

.PHONY: dist FORCE
