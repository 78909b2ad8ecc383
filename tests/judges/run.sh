#!/bin/sh
# Other people's test suites as judges of the library: each test must end as it does without it.
# `tests/judges/run.sh BUILD [JUDGE [PART...]]`: all judges, or one, or parts of one. Needs root, and what
# `tools/packaging/deps.sh long` installs. JUDGES_JOBS=N: so many parts at once.
# JUDGES_WAYS='WAY...': only these, bare first.
#
# A judge is a file tests/judges/JUDGE.judge, read by sh, that says
#   source=PACKAGE   the Debian source package that has the suite, unpacked into $source_dir (none: it is installed)
#   prepare          makes it ready, once
#   parts            prints the names of its parts; what one part does has no bearing on another
#   run PART         runs one, in an empty folder that is its own
#   verdicts         reads what `run` left, a file `log` with its output first of all: lines "TEST TAB VERDICT"
#   named            tests that may differ by their nature: lines "WAY|TEST|REASON", the test as a pattern of sh
#
# Each part is run in four ways (world.sh), one after another: bare; with the library and no rule that matches; with a
# rule and ports that are bound early; with a rule and ports that are taken late. If a verdict differs, all four are run
# three times more, and what is then said of a test is (compare.awk):
#   same      it ended alike everywhere
#   unsteady  it differed bare, too, or under the library once of four times; printed, since the second may be a race
#   differs   the library changed it, twice at least
#   named     it differs, and is one of those that may
# The last line of each judge counts them, and the ports that were given. Exit status 1: a test differs, a judge ran no
# test, or a rule gave no port.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$1" && pwd)
shift
out=$build/judges
jobs=${JUDGES_JOBS:-4}

[ "$(id -u)" -eq 0 ] || {
	echo "judges: network namespaces need root" >&2
	exit 1
}
if [ $# -gt 0 ]; then
	judges=$1
	shift
else
	judges=$(cd "$here" && printf '%s\n' ./*.judge | sed 's|^\./||; s|\.judge$||')
fi

verdict=0
for judge in $judges; do
	started=$(date +%s)
	rm -rf "${out:?}/$judge"
	mkdir -p "$out/$judge"
	export JUDGES_BUILD="$build" JUDGES_OUT="$out" JUDGE="$judge"
	"$here/part.sh" prepare
	if [ $# -gt 0 ]; then
		printf '%s\n' "$@"
	else
		"$here/part.sh" parts
	fi | xargs -P "$jobs" -I '{}' "$here/part.sh" part '{}' || {
		echo "$judge: not every part could be run"
		verdict=1
	}
	cat "$out/$judge"/*/result | "$here/summary.sh" "$judge" $(($(date +%s) - started)) || verdict=1
done
exit $verdict
