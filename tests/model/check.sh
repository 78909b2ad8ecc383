#!/bin/sh
# Has spin check every interleaving of the protocol of the table (table.pml), and that it finds each mutant to be wrong.
# `tests/model/check.sh`: exit status 0 if so. Half a minute on two processors, half a gigabyte of memory for each.
set -eu

model=$(cd "$(dirname "$0")" && pwd)/table.pml
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
mkdir "$work/right" "$work/wrong"

# What is checked: who claims, who names, who sweeps, who dies (table.pml has the other numbers).
claims="-DUSERS=3"
names="-DUSERS=2 -DUSER_TAGS=1 -DCHURNERS=1 -DRENAMES=2"
marks="-DUSERS=1 -DUSER_TAGS=1 -DCHURNERS=1 -DRENAMES=2 -DSWEEPERS=1 -DDEATHS=1"
waits="-DUSERS=2 -DUSER_TAGS=1 -DCHURNERS=1 -DRENAMES=1 -DDEATHS=1"
sweeps="-DUSERS=2 -DBLOCKS=1 -DPORTS=2 -DFIRST_NAME=1 -DSWEEPERS=1 -DDEATHS=1"
again="-DUSERS=1 -DBLOCKS=1 -DPORTS=2 -DFIRST_NAME=1 -DSWEEPERS=1 -DDEATHS=1 -DROUNDS=2"

# search FLAG DEFINITION...: the outcome is in pan.out. False if there is none: a model that cannot be made, or that is
# larger than the limits here. FLAG is the compiler's: what is short is made faster than it runs.
search() {
	flag=$1
	shift
	rm -f pan pan.* ./*.trail
	spin "$@" -a "$model" >pan.out 2>&1 &&
		cc "$flag" -DSAFETY -DCOLLAPSE -DVECTORSZ=256 -DMEMLIM=1000 -w -o pan pan.c >>pan.out 2>&1 &&
		./pan -m10000 -n >pan.out 2>&1 && grep -q ', errors: [0-9]' pan.out &&
		! grep -q 'depth too small\|out of memory\|MEMLIM' pan.out
}

surprise() { # TEXT
	cat pan.out
	echo "not ok $1"
	failed=1
}

right() { # NAME DEFINITION...
	what="table, $1"
	shift
	if search -O1 "$@" && grep -q ', errors: 0$' pan.out && ! grep -q 'not completed' pan.out; then
		echo "ok $what: $(sed -n 's/^ *\([0-9]*\) states, stored.*/\1/p' pan.out) states, no error"
	else
		surprise "$what"
	fi
}

# The error must be the protocol's: not a counter of the model that is too small.
wrong() { # SWITCH DEFINITION...
	what="table, mutant $1"
	switch=-D$1
	shift
	if ! search -O0 "$switch" "$@"; then
		surprise "$what"
	elif grep '^pan:1: \(assertion violated\|invalid end state\)' pan.out | grep -vq 'violated (\(nonce\|marks\)<8)'; then
		echo "ok $what: error found"
	else
		surprise "$what: no error found"
	fi
}

# shellcheck disable=SC2086 # definitions are words
all_right() {
	failed=0
	right claims $claims
	right names $names
	right marks $marks
	right waits $waits
	right sweeps $sweeps
	right again $again
	return "$failed"
}

# shellcheck disable=SC2086
all_wrong() {
	failed=0
	wrong NO_CAS $claims
	wrong NO_RECHECK $claims
	wrong OWN_LAST $names
	wrong HIDING_MARK $claims
	wrong HIDING_MARK $marks
	wrong NO_MARK $claims
	wrong NO_SCAN $claims
	wrong SAME_MARK $claims
	wrong WAIT $waits
	wrong NO_NONCE $again
	wrong SWEEP_CLAIMS $sweeps
	wrong SWEEP_NOT_DEAD $sweeps
	wrong SWEEP_ALL $sweeps
	wrong INFO_FIRST $sweeps
	wrong INFO_LATE $sweeps
	wrong NAME_EARLY $sweeps
	return "$failed"
}

(cd "$work/wrong" && all_wrong >../wrong.out 2>&1) &
status=0
(cd "$work/right" && all_right) || status=1
wait $! || status=1
cat "$work/wrong.out"
exit "$status"
