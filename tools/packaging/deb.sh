#!/bin/sh
# Builds the Debian packages from the source archive: `tools/packaging/deb.sh ARCHIVE TO [INIH LIBC]`.
#
# TO gets the source package and the packages for this machine's architecture; on amd64 also libportshim for i386, built
# by gcc -m32: INIH is inih's archive for that, LIBC the unpacked libc6. dpkg takes it for a usual cross build, whose tools
# are in a folder made for it, so that the machine needs neither another compiler nor another architecture in its dpkg.
set -eu
# A package is built in a tree of its own, whatever the make that called this was told of BUILD and others.
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES BUILD DESTDIR

archive=$(realpath "$1")
to=$(realpath -m "$2")
inih=${3:+$(realpath "$3")}
libc=${4:+$(realpath "$4")}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

say_and_fail()
{
	tail -n 30 "$to/log" >&2
	echo "deb: $1, see $to/log" >&2
	exit 1
}

# unpack FOLDER: the source package's tree there.
unpack()
{
	mkdir -p "$folder/$1"
	name=$(basename "$archive" .tar.gz)
	cp "$archive" "$folder/$1/$(echo "$name" | tr - _).orig.tar.gz"
	tar -x -f "$archive" -C "$folder/$1"
	mv "$folder/$1/$name" "$folder/$1/tree"
	cp -r "$folder/$1/tree/tools/packaging/debian" "$folder/$1/tree/debian"
	cd "$folder/$1/tree"
}

# cross_tool NAME COMMAND...
cross_tool()
{
	name=$1
	shift
	printf '#!/bin/sh\nexec %s "$@"\n' "$*" >"$folder/bin/$name"
	chmod 755 "$folder/bin/$name"
}

# What a cross compiler brings; and where the versions of libc's names are looked up.
cross_tools()
{
	mkdir -p "$folder/bin"
	cross_tool i686-linux-gnu-gcc gcc -m32 -Wno-psabi -idirafter "/usr/include/$(gcc -print-multiarch)"
	for tool in strip objcopy objdump; do
		cross_tool i686-linux-gnu-$tool /usr/bin/$tool
	done
	cross_tool dpkg-shlibdeps /usr/bin/dpkg-shlibdeps "-S$libc"
}

rm -rf "$to"
mkdir -p "$to"
(
	unpack own
	dpkg-buildpackage -us -uc -rfakeroot
) >"$to/log" 2>&1 || say_and_fail 'the packages were not built'
if [ -n "$inih" ]; then
	(
		unpack other
		cross_tools
		PATH=$folder/bin:$PATH PKG_LIBS=$inih CONFIG_SITE=/dev/null \
			dpkg-buildpackage -us -uc -B -d -ai386 -Ppkg.portshim.library
	) >>"$to/log" 2>&1 || say_and_fail 'the package for i386 was not built'
fi
cp "$folder"/*/*.deb "$folder"/own/*.dsc "$folder"/own/*.tar.* "$folder"/own/*.changes "$folder"/own/*.buildinfo "$to"
