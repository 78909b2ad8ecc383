#!/bin/sh
# Installs what is missing on Debian and its kin; says so, and stops where there is no apt-get or no root.
# `tools/packaging/deps.sh demo`: to build portshim and to show it; without an argument: to test it as well;
# `long`: with other people's test suites, too, for `make test-long`.
set -eu

build='gcc libc6-dev make libinih-dev'
tests='libcriterion-dev clang clang-tidy cppcheck shellcheck mandoc strace iproute2 nftables firewalld dbus wget netcat-openbsd
	openssh-client openssh-server python3 perl libxml2-utils iptables procps netbase redis-server redis-tools postgresql-client git less spin
	rsh-client bind9-dnsutils knot-dnsutils libc-ares-dev tftp-hpa tftpd-hpa tnftp vsftpd python3-pyftpdlib
	rpcbind libtirpc-dev nfs-common musl-tools linux-libc-dev ruby php-cli nodejs golang-go rustc tcl lua5.4
	lua-socket guile-3.0 erlang-base cron nginx-light postgresql busybox-static debootstrap systemd
	libclang-rt-dev llvm valgrind gdb ltrace libeatmydata1 libfaketime libjemalloc2 libtcmalloc-minimal4 tsocks
	libproxychains4 torsocks libsocket-wrapper libuid-wrapper libpython3.11-testsuite
	debhelper dpkg-dev fakeroot lintian rpm rpmlint ansible-core bash-completion zsh fish python3-prometheus-client
	podman crun netavark podman-compose libsctp-dev'
# 32-bit programs, and what runs them where the kernel does not; programs for a 64-bit ARM, which it runs too; another kernel. (gcc-multilib
# would exclude every cross compiler.)
[ "$(uname -m)" != x86_64 ] ||
	tests="$tests libc6-dev-i386 lib32gcc-$(gcc -dumpversion 2>/dev/null || echo 12)-dev qemu-user-static gcc-aarch64-linux-gnu libc6-dev-arm64-cross
		user-mode-linux kmod"
long='cmake dpkg-dev libglib2.0-tests libio-socket-ssl-perl php8.2-cli python3-twisted python3-openssl ruby tcl8.6'

demo='curl'

missing=
wanted="$build $demo"
[ "${1:-}" = demo ] || wanted="$wanted $tests"
[ "${1:-}" != long ] || wanted="$wanted $long"
for package in $wanted; do
	state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
	[ "$state" = installed ] || missing="$missing $package"
done
# Any Java compiler will do; the headless JDK is what is installed where there is none.
[ "${1:-}" = demo ] || command -v javac >/dev/null 2>&1 || missing="$missing default-jdk-headless"
[ -n "$missing" ] || exit 0

echo "portshim: missing:$missing"
if ! command -v apt-get >/dev/null 2>&1; then
	echo "portshim: there is no apt-get here: install the equivalents by hand, then try again" >&2
	exit 1
fi
if [ "$(id -u)" -ne 0 ]; then
	echo "portshim: only root may install them: run 'sudo make deps', then try again" >&2
	exit 1
fi
echo "portshim: installing them with apt-get"
export DEBIAN_FRONTEND=noninteractive
# No service that comes with a package is started.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
	printf '#!/bin/sh\nexit 101\n' >$policy
	chmod 755 $policy
	trap 'rm -f $policy' EXIT
fi
apt-get update -q
# shellcheck disable=SC2086 # a list of words
apt-get install -y -q --no-install-recommends $missing
