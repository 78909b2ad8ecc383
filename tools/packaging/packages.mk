# The source archive and the packages; included by the Makefile.

DIST := $(BUILD)/portshim-$(VERSION).tar.gz

dist: $(DIST)

# Left alone where nothing changed, and all that is made from it as well.
$(DIST): FORCE
	@tools/packaging/dist.sh $(VERSION) $@

deb: $(BUILD)/deb/made

$(BUILD)/deb/made: $(DIST) $(ARCHIVE32)
	$(call say,DEB,$(@D))tools/packaging/deb.sh $(DIST) $(@D) $(ARCHIVE32)
	@touch $@

rpm: $(BUILD)/rpm/made

$(BUILD)/rpm/made: $(DIST)
	$(call say,RPM,$(@D))tools/packaging/rpm.sh $(DIST) $(@D)
	@touch $@

packages: deb rpm

FORCE:

.PHONY: dist deb rpm packages FORCE
