#!/bin/sh
# `source.sh PACKAGE FOLDER`: the Debian source package, unpacked there, once. The lists of sources are asked for by a
# configuration of apt that is private: the machine's own stays as it is.
set -eu

package=$1
folder=$2
[ ! -e "$folder" ] || exit 0
private=$(dirname "$folder")/apt
mkdir -p "$private/lists/partial" "$private/cache/archives/partial" "$private/parts"
codename=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)

# Debian's own entries, of whichever mirror the machine has, as sources: the release alone, not its updates, of which
# mirrors keep the latest only.
rm -f "$private/parts"/*
for file in /etc/apt/sources.list /etc/apt/sources.list.d/*; do
	[ -f "$file" ] || continue
	entries=$private/parts/$(basename "$file")
	case $file in
	*.list)
		awk -v codename="$codename" '$1 == "deb" && match($0, "[ \t]" codename "[ \t]") {
			sub(/deb/, "deb-src"); print }' "$file" >"$entries"
		;;
	*.sources)
		awk -v codename="$codename" -v RS= -v ORS='\n\n' '$0 ~ "\nSuites:([^\n]*[ \t])?" codename "[ \t\n]" {
			sub(/Types:[^\n]*/, "Types: deb-src"); sub(/\nSuites:[^\n]*/, "\nSuites: " codename); print }' \
			"$file" >"$entries"
		;;
	esac
	[ -s "$entries" ] || rm -f "$entries"
done

with_sources() {
	apt-get -q -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$private/parts" \
		-o Dir::State::lists="$private/lists" -o Dir::Cache="$private/cache" -o APT::Sandbox::User=root "$@"
}

[ -e "$private/updated" ] || {
	with_sources update
	: >"$private/updated"
}
unpacking=$(mktemp -d "$folder.XXXXXX")
trap 'rm -rf "$unpacking"' EXIT
cd "$unpacking"
with_sources source "$package"
mv "$unpacking"/*/ "$folder"
