#!/bin/sh
# Runs every test: the facts of the kernel, the Criterion suites below BUILD, the model of the table, the quickest of the judges. As many
# at once as there are processors (or JOBS). One line for each that passes, all that it wrote for one that fails; then what failed, and
# how many. What each wrote stays in BUILD/logs.
# `tests/run.sh BUILD [WORD]`: only those whose path contains WORD. LEFT_OUT: a file that says which are not run (sanitized.txt).
# `tests/run.sh BUILD --one TEST`: that one, as the line above says. Exit status 0 if it passes.
set -u

build=$1
left_out=${LEFT_OUT:-/dev/null}

if [ "${2:-}" = --one ]; then
	test=$3
	name=$(printf '%s' "${test#"$build"/}" | sed 's,^tests/,,')
	log=$build/logs/$(printf '%s' "$name" | tr / -)
	began=$(date +%s)
	case $test in
	*/platform/*) timeout 120 "$test" ;;
	*/model/*) timeout 600 "$test" ;;
	*/judges/*) timeout 900 "$test" "$build" ;;
	*)
		# Without the tests of it that are left out.
		filter=$(awk -v suite="$name" '$1 == suite && $2 ~ /\// { found = found "|" $2 } END { print "!(none" found ")" }' "$left_out")
		timeout 900 "$test" --timeout 300 --filter "$filter"
		;;
	esac >"$log" 2>&1 </dev/null
	status=$?
	# The two lines of `times`: the shell's own, its children's; user and system, each MINUTESmSECONDSs.
	times >"$log.times"
	used=$(tail -n 1 "$log.times" | tr -d s | awk -F '[m ]' '{ printf "%d", 60 * $1 + $2 + 60 * $3 + $4 }')
	rm "$log.times"
	line="$name: $(($(date +%s) - began)) s, $used s of a processor"
	exec 9>"$build/logs/.lock"
	flock 9
	if [ $status -eq 0 ]; then
		echo "$test" >>"$build/logs/.passed"
		# Criterion's own count, where there is one.
		printf 'ok %s%s\n' "$line" "$(sed -n 's/.*Synthesis: \(Tested: [0-9]*\).*/, \1/p' "$log" | tr -d '\033' | tail -n 1)"
	else
		echo "== $name"
		cat "$log"
		echo "FAIL $line, exit status $status"
	fi
	exit $status
fi

only=${2:-}
jobs=${JOBS:-$(nproc)}
rm -rf "$build/logs"
mkdir -p "$build/logs"
: >"$build/logs/.passed"

# What takes longest begins first, so that nothing long is left alone at the end.
for first in system/ stories/ judges/ model/ storm/ tools/test_packages supervise/ ''; do
	for test in "$build"/tests/platform/* "$build"/tests/*/test_* tests/model/check.sh tests/judges/quick.sh; do
		case $test in *.o | *.d | *\*) continue ;; esac
		case $test in *"$only"*) ;; *) continue ;; esac
		case $test in *"$first"*) printf '%s\n' "$test" ;; esac
	done
done | awk '!seen[$0]++' >"$build/logs/.found"

# Those but what is left out by folder or whole.
awk -v build="$build/" 'FILENAME == ARGV[1] { if ($1 !~ /^#/ && $2 !~ /\//) left[$1]; next }
	{
		name = $0
		if (index(name, build) == 1) name = substr(name, length(build) + 1)
		sub(/^tests\//, "", name)
		folder = name
		sub(/[^\/]*$/, "", folder)
		if (!(name in left) && !(folder in left)) print
	}' "$left_out" "$build/logs/.found" >"$build/logs/.tests"

xargs -r -n 1 -P "$jobs" "$0" "$build" --one <"$build/logs/.tests"
# Whatever has not said that it passed has failed, by itself or with what ran it.
grep -vxF -f "$build/logs/.passed" "$build/logs/.tests" >"$build/logs/.failed"
passed=$(wc -l <"$build/logs/.passed")
failed=$(wc -l <"$build/logs/.failed")
if [ "$failed" -ne 0 ]; then
	echo "failed:"
	sed 's/^/  /' "$build/logs/.failed"
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
