#!/bin/sh
# Makes the source archive: `tools/packaging/dist.sh VERSION TO.tar.gz`, in the root of the tree.
#
# It holds the files that git knows, as they are here, and in tools/packaging/files their list, by which an unpacked archive
# makes the same one again. The same files of the same commit are the same bytes, whoever makes them where: names in
# order, no owner, no time but that of the commit (or SOURCE_DATE_EPOCH). TO is left alone if it would not change.
set -eu

version=$1
to=$2
list=tools/packaging/files
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir -p "$folder/$(dirname $list)"

# Not the repository of others, where an archive was unpacked below one.
if [ -e .git ] && git rev-parse --git-dir >/dev/null 2>&1; then
	git ls-files
	time=$(git log -1 --format=%ct)
elif [ -e $list ]; then
	cat $list
	time=$(stat -c %Y $list)
else
	echo "dist: neither a git repository nor an unpacked archive: which files belong to it is not known" >&2
	exit 1
fi >"$folder/names"
{ cat "$folder/names" && echo $list; } | LC_ALL=C sort -u >"$folder/$list"
grep -vx $list "$folder/$list" >"$folder/names"

tar --create --file "$folder/tar" --format=ustar --no-recursion --verbatim-files-from \
	--owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX --mtime="@${SOURCE_DATE_EPOCH:-$time}" \
	--transform="flags=r;s,^,portshim-$version/," \
	--directory="$folder" $list --directory="$PWD" --files-from="$folder/names"
gzip -9n "$folder/tar"
mkdir -p "$(dirname "$to")"
cmp -s "$folder/tar.gz" "$to" || mv "$folder/tar.gz" "$to"
