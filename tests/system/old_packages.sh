#!/bin/sh
# old_packages.sh BUILD TO: the Debian packages of BUILD once more, as those of an older version, whose library has a table
# of another layout.
set -eu

build=$1
to=$2
old=$build/old
version=0.0.9-0upstream1

make -s BUILD="$old" VERSION=0.0.9 CPPFLAGS='-DTABLE_VERSION=\"v0\"' "$old/libportshim.so"
for name in libportshim portshim; do
	dpkg-deb -R "$build/deb/${name}_"*_amd64.deb "$to/$name"
	sed -i "s/^Version: .*/Version: $version/; s/libportshim (= [^)]*)/libportshim (= $version)/" "$to/$name/DEBIAN/control"
done
cp "$old/libportshim.so" "$to/libportshim/usr/lib/x86_64-linux-gnu/libportshim.so"
for name in libportshim portshim; do
	dpkg-deb --root-owner-group -b "$to/$name" "$to/$name.deb" >/dev/null
done
