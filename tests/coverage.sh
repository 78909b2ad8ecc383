#!/bin/sh
# coverage.sh BUILD: runs the suites with the programs of BUILD, which count; then BUILD/summary.txt, file by file, and BUILD/html/.
set -u

build=$1
raw=$build/raw

# Each program's file of counters is made here, so that any user may write to it.
rm -rf "$raw" && mkdir -p "$raw" && chmod 1777 "$raw"
LD_PRELOAD=$(realpath "$build/libportshim.so") true
"$build/portshim" version >/dev/null
for suite in "$build"/tests/unit/test_*; do
	"$suite" --list >/dev/null
done
chmod 0666 "$raw"/*

PORTSHIM_BUILD=$(realpath "$build") LEFT_OUT=tests/coverage.txt tests/run.sh "$build" >"$build/run.log" 2>&1
status=$?
tail -n 5 "$build/run.log"

# What llvm-cov says of the library and the command, whose code the suites of unit/ have in them as well.
cov() { # COMMAND OPTION... PATH...
	command=$1
	shift
	llvm-cov "$command" "$build/libportshim.so" -object="$build/portshim" -instr-profile="$build/all.profdata" "$@"
}

# Lines and branches of each file of a folder, and the share that was reached; then of all of them.
table() { # FOLDER
	cov report -show-region-summary=false "$1" | awk -v folder="$1" '
		function row(name) { printf "%-36s %6d %7s %8d %7s\n", name, $(NF - 5), $(NF - 3), $(NF - 2), $NF }
		$1 == "TOTAL" { row("all of " folder "/"); next }
		/%/ { row(folder "/" $1) }'
}

llvm-profdata merge -o "$build/all.profdata" "$raw"/*.profraw || exit
{
	printf '%-36s %6s %7s %8s %7s\n' FILE LINES REACHED BRANCHES REACHED
	for folder in config shim tools; do table "$folder"; done
} >"$build/summary.txt"
cov show -format=html -show-branches=count -output-dir="$build/html" config shim tools
cat "$build/summary.txt"
exit $status
