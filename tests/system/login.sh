#!/bin/sh
# Shells, changes of user, and what every program inherits.
# shellcheck source=/dev/null
. /machine/common.sh

id
bash -lc 'echo "$HOME $-"; shopt login_shell; ulimit -n'
su - ann -c 'id; pwd; env | grep -v "^_=" | sort'
# su is setuid root, and asks.
su ann -c 'echo secret | su ben -c id' 2>&1
su ann -c 'echo wrong | su ben -c id' 2>&1 || echo "su: $?"
script -qec 'login -f ann' /dev/null <<'end' | tr -d '\r' | grep -v 'Last login'
id -un
exit
end
find /proc/self/fd -type l -printf '%f\n'
getent hosts localhost
echo one two | xargs -n 1 echo | sort -r | tr '[:lower:]' '[:upper:]'
perl -e 'print "$$\n" if fork; wait; print "perl\n"' | tr -d 0-9
