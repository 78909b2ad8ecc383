#!/bin/sh
# Builds the RPM packages from the source archive: `tools/packaging/rpm.sh ARCHIVE TO`.
#
# Where rpm is not what the machine's packages are managed with, what the build needs is not looked for in its database.
set -eu
# A package is built in a tree of its own, whatever the make that called this was told of BUILD and others.
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES BUILD DESTDIR

archive=$(realpath "$1")
to=$(realpath -m "$2")
spec=$(realpath "$(dirname "$0")")/portshim.spec

name=$(rpmspec -q --srpm --qf '%{name}-%{version}.tar.gz' "$spec" 2>/dev/null)
if [ "$name" != "$(basename "$archive")" ]; then
	echo "rpm: portshim.spec is for $name, and this is $(basename "$archive"): mend its Version" >&2
	exit 1
fi
nodeps=
rpm -q rpm >/dev/null 2>&1 || nodeps=--nodeps
rm -rf "$to"
mkdir -p "$to/SOURCES"
cp "$archive" "$to/SOURCES"
rpmbuild -ba $nodeps --define "_topdir $to" --define "_buildhost localhost" "$spec" >"$to/log" 2>&1 || {
	tail -n 30 "$to/log" >&2
	echo "rpm: the packages were not built, see $to/log" >&2
	exit 1
}
mv "$to"/RPMS/*/*.rpm "$to"/SRPMS/*.rpm "$to"
rm -rf "$to/RPMS" "$to/SRPMS" "$to/BUILD" "$to/BUILDROOT" "$to/SOURCES" "$to/SPECS"
