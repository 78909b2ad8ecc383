#!/bin/sh
# Takes one file out of a Debian package of another architecture, for a build that links it:
# `tools/packaging/foreign.sh ARCHITECTURE PACKAGE FILE TO`. FILE is its path in the package; `.`: all of it, with what dpkg
# keeps of a package in TO/DEBIAN.
#
# The package is downloaded by apt-get from where this machine has its packages from, with the same signatures checked,
# but with lists and state in a folder of its own: neither the machine's architectures nor its packages change, and no
# root is needed.
set -eu

architecture=$1
package=$2
file=$3
to=$4

if ! command -v apt-get >/dev/null 2>&1; then
	echo "portshim: there is no apt-get here to fetch $package for $architecture with: get its $file by hand" >&2
	exit 1
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir -p "$folder/lists/partial" "$folder/cache/archives/partial" "$folder/files"
: >"$folder/status"

apt() {
	apt-get -q -o APT::Architecture="$architecture" -o APT::Architectures="$architecture" \
		-o Dir::State::lists="$folder/lists" -o Dir::State::status="$folder/status" -o Dir::Cache="$folder/cache" \
		-o APT::Sandbox::User= -o Acquire::Languages=none "$@"
}

# Where one list of several is being renewed just now, the others are enough: the download will tell.
apt update >"$folder/said" 2>&1 || true
if ! (cd "$folder" && apt download "$package" >>"$folder/said" 2>&1); then
	cat "$folder/said" >&2
	echo "portshim: $package for $architecture could not be downloaded, see above" >&2
	exit 1
fi
if [ "$file" = . ]; then
	dpkg-deb -R "$folder/$package"_*.deb "$to"
	exit 0
fi
dpkg-deb -x "$folder/$package"_*.deb "$folder/files"
mkdir -p "$(dirname "$to")"
cp "$folder/files/$file" "$to.part"
mv "$to.part" "$to"
