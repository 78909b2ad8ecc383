#!/bin/sh
# Runs tests in another kernel: Debian's user-mode-linux, a Linux 6.1 that is a process, with this machine's files.
# `tests/oldkernel/run.sh BUILD [KIND [WORD[,WORD...]]]`; without KIND both kinds at once, each with what is listed here.
#
#   plain  that kernel as it is. It has IP_LOCAL_PORT_RANGE, which the stable kernels took over from 6.3, but not all else
#          that came to it since; and it has SCTP and DCCP.
#            platform/   the facts: each says what is expected of this kernel
#            protocols/  which most kernels have no modules for
#            shim/test_ways  ports that are taken late, as this kernel does
#   early  without that option (hide_range.c), as 6.1 was at first and all kernels were before: each port is bound early.
#            shim/, transparency/ and what storm/ measures: whatever a program can see of its ports
#
# The others do not run here. unit/, tools/ and what of shim/ is about files and words (audit, log, reload, policy faults) have
# no other kernel beneath them than elsewhere. crowd, leaks, forks and the rest of storm/ want to be many or to be fast: a
# system call takes ten times as long here as it does on the machine, and there is one processor. supervise/ as a whole takes too
# long; protocols/ runs programs under a supervisor. stories/, system/, company/ and kinds/ test other people's programs.
set -eu

early='shim/test_ways shim/test_deferred shim/test_descriptors shim/test_errors shim/test_exhaustion shim/test_no_way_out
	shim/test_rules shim/test_reserved shim/test_retries shim/test_shared shim/test_choose transparency/ storm/test_stack'
plain='platform/ protocols/ shim/test_ways'
limit=${OLDKERNEL_LIMIT:-1200} # s

tree=$(pwd)
build=$(cd "$1" && pwd)
old=$build/oldkernel

if ! command -v linux.uml >/dev/null 2>&1 || [ "$(id -u)" -ne 0 ]; then
	echo "portshim: tests in another kernel want linux.uml and root: 'sudo make test-oldkernel', on Debian for amd64" >&2
	exit 1
fi

# The kernel's memory is a file that may be run: where there is room for two of them.
room() {
	[ -d "$1" ] && [ "$(df -Pk "$1" | awk 'NR == 2 { print $4 }')" -gt 2200000 ]
}
for memory in /dev/shm "${TMPDIR:-/tmp}" /var/tmp; do
	! room "$memory" || break
done
memory=$(mktemp -d "$memory/portshim-kernel-XXXXXX")
trap 'rm -rf "$memory"' EXIT
trap 'exit 1' INT TERM HUP

# One run of the kernel; all its processes end with the first.
boot() { # KIND WORDS
	folder=$old/$1
	rm -rf "$folder"
	mkdir -p "$folder/lib" "$memory/$1"
	ln -s /usr/lib/uml/modules "$folder/lib/modules"
	ln -s ../tests "$folder/tests"
	TMPDIR=$memory timeout -s KILL "$limit" unshare --pid --fork --kill-child \
		linux.uml mem=1024M uml_dir="$memory/" umid="$1" con=null con0=null,fd:1 quiet loglevel=2 \
		rootfstype=hostfs rootflags=/ rw init="$tree/tests/oldkernel/init.sh" \
		PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
		TREE="$tree" BUILD="$build" TO="$folder" KIND="$1" WORDS="$(printf %s "$2" | tr -s '[:space:]' ,)" \
		</dev/null >"$folder/said" 2>&1 || true
}

# Whether it came to its end, and all was well.
ended() { # KIND
	cat "$old/$1/said"
	if ! [ -e "$old/$1/status" ]; then
		echo "$1: the kernel did not come to its end within $limit s"
		return 1
	fi
	[ "$(cat "$old/$1/status")" = 0 ]
}

mkdir -p "$old/tests"
ln -sfn "$build/tests/platform" "$old/tests/platform"
if [ $# -gt 1 ]; then
	[ "$2" = plain ] && words=$plain || words=$early
	boot "$2" "${3:-$words}"
	ended "$2"
	exit
fi
boot early "$early" &
boot plain "$plain"
wait $!
status=0
for kind in plain early; do
	ended $kind || status=1
done
exit $status
