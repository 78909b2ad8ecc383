#!/bin/sh
# One part of a judge, in all ways, again if they differ; see run.sh, which sets JUDGES_BUILD, JUDGES_OUT and JUDGE.
# `part.sh prepare`, `part.sh parts`, `part.sh part PART`; `part.sh run PART`, called by world.sh, where the library is.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
again=3            # further runs where ways differ
export JUDGES_SECONDS=900 # for one run of one part: far more than it takes

source=
source_dir=
prepare() { :; }
named() { :; }
# shellcheck disable=SC1090 # the judge
. "$here/$JUDGE.judge"
[ -z "$source" ] || source_dir=$JUDGES_OUT/source/$source

# Runs a part in one way; leaves "WAY ATTEMPT TEST VERDICT" in the part's folder.
attempt() { # PART WAY ATTEMPT
	folder=$JUDGES_OUT/$JUDGE/$1/$2.$3
	mkdir -p "$folder"
	cd "$folder"
	status=0
	"$here/world.sh" "$2" "$here/part.sh" run "$1" >log 2>&1 </dev/null || status=$?
	# shellcheck disable=SC2094 # verdicts() reads the log, and this writes another file
	{
		verdicts || true
		# Above 100 is a signal, or the time limit; below it says again what the tests said.
		[ $status -le 100 ] && echo "the end	reached" || echo "the end	status $status"
	} | awk -F '\t' -v OFS='\t' -v way="$2" -v attempt="$3" \
		'{ n = ++seen[$1]; print way, attempt, $1 (n > 1 ? " (" n ")" : ""), $2 }' >verdicts
	cd /
	find "$folder" -mindepth 1 -maxdepth 1 ! -name log ! -name verdicts ! -name given \
		-exec rm -rf '{}' +
}

ways=${JUDGES_WAYS:-bare idle early late}

alike() { # PART
	for way in $ways; do
		cut -f 3- "$JUDGES_OUT/$JUDGE/$1/$way.1/verdicts" | sort | cksum
	done | sort -u | wc -l
}

case $1 in
prepare)
	[ -z "$source" ] || "$here/source.sh" "$source" "$source_dir"
	prepare
	;;
parts)
	parts
	;;
run)
	run "$2"
	;;
part)
	for way in $ways; do
		attempt "$2" "$way" 1
	done
	attempts=1
	if [ "$(alike "$2")" -ne 1 ]; then
		while [ $attempts -le $again ]; do
			attempts=$((attempts + 1))
			for way in $ways; do
				attempt "$2" "$way" $attempts
			done
		done
	fi
	cd "$JUDGES_OUT/$JUDGE/$2"
	named >exceptions
	awk -v part="$2" -v attempts=$attempts -v ways="$ways" -f "$here/compare.awk" exceptions ./*/verdicts >result
	cat ./*/given 2>/dev/null | awk -v OFS='\t' '{ print "given", $1, $2 }' >>result
	;;
esac
