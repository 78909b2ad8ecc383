# The source archive and the packages; included by the Makefile.

DIST := $(BUILD)/portshim-$(VERSION).tar.gz

dist: $(DIST)

# Left alone where nothing changed, and all that is made from it as well.
$(DIST): FORCE
	@tools/packaging/dist.sh $(VERSION) $@

# On amd64 there is one for i386 as well, which needs to know which names the libc6 there has in which version.
LIBC32 := $(BUILD)/libc6-i386/made
FOR_32 := $(if $(filter x86_64,$(shell uname -m)),$(ARCHIVE32) $(LIBC32))

$(LIBC32):
	$(call say,FETCH,$(@D))$(RM) -r $(@D) && tools/packaging/foreign.sh i386 libc6 . $(@D)
	@touch $@

deb: $(BUILD)/deb/made

$(BUILD)/deb/made: $(DIST) $(FOR_32)
	$(call say,DEB,$(@D))tools/packaging/deb.sh $(DIST) $(@D) $(FOR_32:/made=)
	@touch $@

rpm: $(BUILD)/rpm/made

$(BUILD)/rpm/made: $(DIST)
	$(call say,RPM,$(@D))tools/packaging/rpm.sh $(DIST) $(@D)
	@touch $@

packages: deb rpm

FORCE:

.PHONY: dist deb rpm packages FORCE
