#!/bin/sh
# Runs every test: the facts of the kernel, the Criterion suites below BUILD, the model of the table, the quickest of
# the judges; says what failed, and how many.
# `tests/run.sh BUILD [WORD]`: only those whose path contains WORD.
set -u

build=$1
only=${2:-}
passed=0
failed=0
failures=

for test in "$build"/tests/platform/* "$build"/tests/*/test_* tests/model/check.sh tests/judges/quick.sh; do
	case $test in *.o | *.d) continue ;; esac
	case $test in *"$only"*) ;; *) continue ;; esac
	echo "== ${test#"$build"/}"
	case $test in
	*/platform/*) timeout 120 "$test" ;;
	*/model/*) timeout 600 "$test" ;;
	*/judges/*) timeout 900 "$test" "$build" ;;
	*) timeout 900 "$test" --timeout 300 ;;
	esac
	status=$?
	if [ $status -eq 0 ]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		failures="$failures
  ${test#"$build"/} (exit status $status)"
	fi
done

[ $failed -eq 0 ] || echo "failed:$failures"
echo "$passed passed, $failed failed"
[ $failed -eq 0 ] && [ $passed -gt 0 ]
