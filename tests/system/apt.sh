#!/bin/sh
# apt installs from a folder, and from nginx: its http method runs as _apt, and under seccomp where that is asked for.
# shellcheck source=/dev/null
. /machine/common.sh

# make_package NAME: a package with one file, that a script of its own puts a word into.
make_package()
{
	mkdir -p "/tmp/$1/DEBIAN" "/tmp/$1/usr/share/$1"
	cat >"/tmp/$1/DEBIAN/control" <<-end
		Package: $1
		Version: 1.0
		Architecture: all
		Maintainer: nobody <nobody@example.org>
		Description: a package for a test
	end
	printf '#!/bin/sh\necho configured >/usr/share/%s/state\n' "$1" >"/tmp/$1/DEBIAN/postinst"
	chmod 755 "/tmp/$1/DEBIAN/postinst"
	echo "$1" >"/tmp/$1/usr/share/$1/name"
	dpkg-deb --root-owner-group -b "/tmp/$1" "/repository/$1.deb"
	dpkg-deb -f "/repository/$1.deb"
	echo "Filename: ./$1.deb"
	echo "Size: $(stat -c %s "/repository/$1.deb")"
	echo "SHA256: $(sha256sum "/repository/$1.deb" | cut -d ' ' -f 1)"
	echo
}

mkdir /repository
export SOURCE_DATE_EPOCH=1700000000 DEBIAN_FRONTEND=noninteractive
for name in first second third; do
	make_package $name | grep -v '^dpkg-deb:' >>/repository/Packages
done

rm -rf /etc/apt/apt.conf /etc/apt/apt.conf.d/* /etc/apt/sources.list /etc/apt/sources.list.d/*

# get PACKAGE OPTION...
get()
{
	package=$1
	shift
	apt-get "$@" -qq update
	apt-get "$@" -qq install "$package" | grep -v 'Reading database'
	cat "/usr/share/$package/name" "/usr/share/$package/state"
	dpkg-query -W "$package"
}

echo 'deb [trusted=yes] file:/repository ./' >/etc/apt/sources.list
get first -o Acquire::Languages=none
echo 'deb [trusted=yes] http://127.0.0.1/repository ./' >/etc/apt/sources.list
get second -o Acquire::Languages=none
get third -o Acquire::Languages=none -o APT::Sandbox::Seccomp=true
apt-get -qq purge first second third | grep -v 'Reading database'
ports_of apt repository
