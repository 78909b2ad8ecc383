#!/bin/sh
# Runs the suites on this machine's kernel made one without IP_LOCAL_PORT_RANGE (hide_range.c), as all were before 6.3: each port is
# bound early. What cannot be so is left out (early.txt). `tests/oldkernel/early.sh BUILD [WORD]`, as tests/run.sh has them.
set -eu

build=$1
early=$build/early

groups=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
if [ -z "$groups" ] || ! group=$(mktemp -d "$groups/portshim-early-XXXXXX"); then
	echo "portshim: hiding an option of the kernel's wants cgroup v2 and root: 'sudo make test-early'" >&2
	exit 1
fi
# What was started there may take a moment to be gone.
left() {
	for _ in $(seq 50); do
		! rmdir "$group" 2>/dev/null || return 0
		sleep 0.1
	done
	echo "portshim: there are processes in $group still" >&2
}
trap left EXIT
trap 'exit 1' INT TERM HUP
"$build/oldkernel/hide_range" "$group"

mkdir -p "$early"
ln -sfn ../tests "$early/tests"
# shellcheck disable=SC2016 # the inner shell's
PORTSHIM_BUILD=$(cd "$build" && pwd) LEFT_OUT=tests/oldkernel/early.txt PATIENCE=2 \
	sh -c 'echo $$ >"$0/cgroup.procs" && exec tests/run.sh "$@"' "$group" "$early" ${2:+"$2"}
