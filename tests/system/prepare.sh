#!/bin/sh
# Run in the root of a machine before it starts, and without the library: the users of the tests.
set -e

for user in ann ben; do
	useradd --create-home --shell /bin/bash $user
	echo "$user:secret" | chpasswd --crypt-method SHA256 --sha-rounds 1000
done
