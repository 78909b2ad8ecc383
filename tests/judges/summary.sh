#!/bin/sh
# `summary.sh JUDGE SECONDS`: reads the results of a judge's parts; prints what is not the same, and a line that counts.
exec awk -F '\t' -v judge="$1" -v seconds="$2" '
	$1 == "given" { given[$2] += $3; next }
	$3 != "the end" { tests++ }
	$1 != "same" || $3 != "the end" { count[$1]++ }
	$1 != "same" { print judge " " $2 ": " $1 ": " $3 ": " $4 }
	END {
		void = !tests
		for (way in given)
			if (way != "idle" && !given[way])
				void = 1
		printf "%s: %d tests, %d same, %d differ, %d named, %d unsteady; ports given: %d early, %d late; %d s\n", judge,
			tests, count["same"], count["differs"], count["named"], count["unsteady"], given["early"], given["late"],
			seconds
		if (void)
			print judge ": no test or no port is no judgement"
		exit count["differs"] || void
	}'
