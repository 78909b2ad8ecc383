#!/bin/sh
# Runs the tests of a whole machine in a system of their own: Debian's of this machine's release, made by debootstrap(8)
# from where this machine's apt gets its packages, once for each list of packages, below BUILD.
# `tests/system/debootstrap.sh BUILD`, as root.
set -eu

build=$(realpath "$1")
root=$build/system-root
packages='openssh-server openssh-client cron postgresql nginx-light curl busybox-static systemd'

if [ "${2:-}" = make ]; then
	# In namespaces of its own: what debootstrap mounts goes with it.
	rm -rf "$root" "$root.new" "$root.packages"
	# shellcheck source=/dev/null
	release=$(. /etc/os-release && echo "$VERSION_CODENAME")
	uri=$(apt-get indextargets --format "\$(CODENAME) \$(COMPONENT) \$(REPO_URI)" 'Created-By: Packages' |
		sed -n "s/^$release main //p" | head -n 1)
	[ -n "$uri" ] || {
		echo "system: apt knows no packages of $release: 'apt-get update', then try again" >&2
		exit 1
	}
	debootstrap --variant=minbase "$release" "$root.new" "$uri"
	# No service is started there while it is made.
	printf '#!/bin/sh\nexit 101\n' >"$root.new/usr/sbin/policy-rc.d"
	chmod 755 "$root.new/usr/sbin/policy-rc.d"
	# shellcheck disable=SC2086 # a list of words
	DEBIAN_FRONTEND=noninteractive LC_ALL=C chroot "$root.new" apt-get install -y -q --no-install-recommends $packages
	rm -rf "$root.new"/var/cache/apt/archives/*.deb "$root.new"/var/lib/apt/lists/*
	mv "$root.new" "$root"
	echo "$packages" >"$root.packages"
	exit 0
fi

[ "$(cat "$root.packages" 2>/dev/null)" = "$packages" ] ||
	unshare --mount --pid --fork --kill-child "$0" "$build" make >"$build/system-root.log" 2>&1 || {
	tail -n 20 "$build/system-root.log" >&2
	echo "system: no system could be made, see $build/system-root.log" >&2
	exit 1
}
PORTSHIM_SYSTEM_ROOT=$root PORTSHIM_BUILD=$build exec tests/run.sh "$build" tests/system/
