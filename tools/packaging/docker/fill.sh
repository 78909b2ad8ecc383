#!/bin/sh
# fill.sh FOLDER: puts the library and the command there. Programs may run under the ones that it replaces, and start meanwhile: each
# file takes the place of the old one when it is whole.
set -eu

for file in lib/libportshim.so bin/portshim; do
	mkdir -p "$1/${file%/*}"
	cp "/usr/$file" "$1/$file.new"
	mv -f "$1/$file.new" "$1/$file"
done
