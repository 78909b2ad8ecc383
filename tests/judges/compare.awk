# What the ways and attempts at a part say of each test; see run.sh. Reads `exceptions` ("WAY|TEST|REASON"), then all
# the files of verdicts ("WAY TAB ATTEMPT TAB TEST TAB VERDICT"). -v part=NAME
# -v attempts=N -v ways='WAY...', bare first.

# A pattern of sh as a regular expression; `*` is all that it may have.
function expression(pattern) {
	gsub(/[][(){}.+?^$|\\]/, "\\\\&", pattern)
	gsub(/\*/, ".*", pattern)
	return "^" pattern "$"
}

FILENAME == "exceptions" {
	split($0, field, "|")
	names++
	named_way[names] = field[1]
	named_test[names] = expression(field[2])
	named_why[names] = field[3]
	next
}

{
	split($0, field, "\t")
	tests[field[3]] = 1
	seen[field[1], field[2], field[3]] = field[4]
}

function verdict(way, attempt, test) {
	return (way, attempt, test) in seen ? seen[way, attempt, test] : "missing"
}

function all(way, test,    attempt, text) {
	for (attempt = 1; attempt <= attempts; attempt++)
		text = text (attempt > 1 ? ", " : "") verdict(way, attempt, test)
	return way ": " text
}

# In how many attempts a way said what bare never did.
function departures(way, test,    attempt, count) {
	for (attempt = 1; attempt <= attempts; attempt++)
		if (!((test, verdict(way, attempt, test)) in bare))
			count++
	return count + 0
}

function why_named(way, test,    i) {
	for (i = 1; i <= names; i++)
		if (named_way[i] == way && test ~ named_test[i])
			return named_why[i]
	return ""
}

END {
	count_of_ways = split(ways, way, " ")
	for (test in tests) {
		kinds = 0
		for (attempt = 1; attempt <= attempts; attempt++) {
			said = verdict("bare", attempt, test)
			if (!((test, said) in bare))
				kinds++
			bare[test, said] = 1
		}
		state = kinds > 1 ? "unsteady" : "same"
		told = kinds > 1 ? all("bare", test) : ""
		for (i = 2; i <= count_of_ways; i++) {
			count = departures(way[i], test)
			if (count == 0)
				continue
			why = why_named(way[i], test)
			if (told == "")
				told = all("bare", test)
			told = told "; " all(way[i], test)
			if (why != "") {
				if (state != "differs")
					state = "named"
				told = told " (" why ")"
			} else if (count > 1) {
				state = "differs"
			} else if (state == "same") {
				state = "unsteady"
			}
		}
		print state "\t" part "\t" test "\t" told
	}
}
