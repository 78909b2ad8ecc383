#!/bin/sh
# run.sh BUILD SECONDS TARGET...: each target for that long, from its corpus and what earlier runs have found worth keeping; says how many
# inputs were tried and how much of the code they reach. An input that breaks a promise is kept in BUILD/found, and is the exit code.
set -u

build=$1
seconds=$2
shift 2
failed=0

mkdir -p "$build/found"
# Of whoever runs this: the sources may be another's.
install -m 0644 tests/fuzz/calls.conf "$build/calls.conf"
export PORTSHIM_CONF=$build/calls.conf
for target; do
	grown=$build/corpus/$target
	mkdir -p "$grown"
	if "$build/tests/fuzz/$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=4096 -print_final_stats=1 \
		-artifact_prefix="$build/found/$target-" "$grown" "tests/fuzz/corpus/$target" >"$build/$target.log" 2>&1; then
		echo "ok $target: $(sed -n 's/^stat::number_of_executed_units: *//p' "$build/$target.log") inputs," \
			"$(grep -o 'cov: [0-9]*' "$build/$target.log" | tail -n 1 | cut -c 6-) places"
	else
		failed=1
		tail -n 40 "$build/$target.log"
		echo "FAIL $target: $build/found/, all of it in $build/$target.log"
	fi
done
exit $failed
