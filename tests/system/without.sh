#!/bin/sh
# What goes on in a machine that lacks something: with the same result as without the library.
id
bash -lc 'echo "$HOME"'
su ann -c 'id; echo here | tr [:lower:] [:upper:]' 2>&1
su ann -c 'echo secret | su ben -c id' 2>&1
perl -e 'print "perl\n"'
echo one two | xargs -n 1 echo
for user in root ann; do
	for _ in 1 2 3; do
		echo act "$(su $user -c 'sh /machine/show.sh act' | sed -n 's/name 0 = .* //p')" >>/tmp/ports
	done
done
