#!/bin/sh
# Static analysis of the whole tree, and of what the library exports and calls. Any finding is a failure.
# `tests/check.sh BUILD VERSION`, after everything was built.
set -eu

build=$1
version=-DPORTSHIM_VERSION=\"$2\"
libdir='-DLIBDIR="/usr/local/lib"'
set -- -std=gnu11 -I. "$version" "$libdir" # as the Makefile has it

echo "== exported names are those of the table, and no object calls a hooked name"
for kind in "$build" "$build/i386"; do
	[ -e "$kind/exports.map" ] || continue # there are no 32-bit programs but on x86-64
	sed -n 's/^\([a-zA-Z_0-9]*\);$/\1/p' "$kind/exports.map" | sort >"$kind/exports.expected"
	nm -D --defined-only "$kind/libportshim.so" | awk '{print $3}' | sort >"$kind/exports.seen"
	diff "$kind/exports.expected" "$kind/exports.seen"
	for object in "$kind"/shim/*.o "$kind"/config/*.o; do
		nm -u "$object" | awk '{print $2}' | sort | comm -12 - "$kind/exports.expected" | grep -v portshim_version |
			sed "s|^|$object calls |"
	done >"$kind/hooked.calls"
	if [ -s "$kind/hooked.calls" ]; then
		cat "$kind/hooked.calls"
		exit 1
	fi
done

echo "== libportshim(7) names each of them"
grep -v '^__\|^portshim' "$build/exports.expected" | while read -r name; do
	grep -q "^\.Fn $name\( \|\$\)" tools/man/libportshim.7 || {
		echo "$name is not in tools/man/libportshim.7"
		exit 1
	}
done

echo "== the library needs libc alone"
for library in "$build/libportshim.so" "$build/i386/libportshim.so"; do
	[ -e "$library" ] || continue
	if readelf -d "$library" | grep NEEDED | grep -v 'libc\.so\|ld-linux'; then
		exit 1
	fi
done

echo "== neither malloc nor stdio in what runs inside a program"
for object in "$build"/shim/*.o "$build"/config/*.o; do
	nm -u "$object" | awk '{print $2}' |
		grep -x 'malloc\|calloc\|realloc\|free\|strdup\|__strdup\|f\?printf\|__.*printf_chk\|s\?n\?printf\|fopen.*\|fgets\|syslog' |
		sed "s|^|$object calls |"
done >"$build/unsafe.calls"
if [ -s "$build/unsafe.calls" ]; then
	cat "$build/unsafe.calls"
	exit 1
fi

# COMMAND...: once with each file, {} in it, on all processors; what is said of one file comes in one piece.
with_each() {
	# shellcheck disable=SC2016 # the inner shell's
	printf '%s\n' config/*.c shim/*.c tools/*.c tools/*/*.c |
		xargs -P "$(nproc)" -I {} sh -c 'said=$("$@" 2>&1) || { printf "%s\n" "$said"; exit 1; }' sh "$@"
}

echo "== clang accepts it as gcc does"
with_each clang -O2 -Wall -Wextra -Wshadow -Wmissing-prototypes -Wstrict-prototypes -Werror -fsyntax-only "$@" {}

echo "== gcc -fanalyzer"
with_each gcc -O1 -fanalyzer -Werror -Wno-analyzer-fd-leak -c -o /dev/null "$@" {}

echo "== cppcheck"
cppcheck --quiet -j "$(nproc)" --error-exitcode=1 --std=c11 --inline-suppr --enable=warning,performance,portability \
	--suppress=missingInclude -D__linux__ -I. "$version" "$libdir" config shim tools

echo "== clang-tidy"
with_each clang-tidy --quiet --warnings-as-errors='*' {} -- "$@"

echo "== shell scripts and man pages"
shellcheck .ci/run tests/*.sh tests/model/*.sh tests/oldkernel/*.sh tests/stories/*.sh tests/system/*.sh tests/judges/*.sh tests/judges/*.judge \
	tools/*.sh tools/packaging/*.sh tools/packaging/docker/*.sh tools/packaging/forget-preload \
	tools/packaging/debian/*.prerm tools/packaging/debian/*.postrm tools/packaging/debian/tests/smoke \
	tools/completions/*.bash tests/tools/*.bash
zsh -n tools/completions/portshim.zsh
zsh -n tests/tools/completion.zsh
fish -n tools/completions/portshim.fish
for page in tools/man/*.[157]; do
	mandoc -T lint -W warning "$page"
done

echo "== no file over 700 lines"
if git ls-files '*.c' '*.h' '*.def' '*.sh' | xargs wc -l | awk '$2 != "total" && $1 > 700' | grep .; then
	exit 1
fi
