#!/bin/sh
# sshd with all its separation of privileges: commands, files, and forwarding in each direction.
# shellcheck source=/dev/null
. /machine/common.sh

to='-F none -o BatchMode=yes 127.0.0.1'

# The client's port, out of what sshd tells the session.
# shellcheck disable=SC2016,SC2086
for user in root ann; do
	# shellcheck disable=SC2046
	port ssh $(su - $user -c "ssh $to 'echo \$SSH_CONNECTION'" | cut -d ' ' -f 2)
	su - $user -c "ssh $to 'id; echo to stderr >&2; exit 3'" || echo "ssh: $?"
done

echo 'a file' >/tmp/file
su - ann -c "echo 'get /tmp/file got' | sftp -q -F none -b - 127.0.0.1 && cat got"
su - ann -c 'scp -q -F none /tmp/file 127.0.0.1:copied && cat copied'
# A terminal, and a shell in it.
echo 'tty; exit 5' | ssh -tt -F none -o BatchMode=yes 127.0.0.1 2>&1 | tr -d '\r' | grep -c /dev/pts

# sshd changes the root for ben's session, and connects from within.
su - ben -c 'echo "ls -1
get file" | sftp -q -F none -b - 127.0.0.1 && cat file'
su - ben -c "ssh -f -N -M -S ~/control -L 9001:127.0.0.1:80 $to"
curl -sS http://127.0.0.1:9001/
front_port sshd
su - ben -c 'ssh -S ~/control -O exit 127.0.0.1' 2>/dev/null

# forward OPTION WORD: a connection in the background, that the next `forward_end` ends.
forward()
{
	# shellcheck disable=SC2086
	ssh -f -N -M -S /tmp/control -o ExitOnForwardFailure=yes "$@" $to
}

forward_end()
{
	ssh -S /tmp/control -O exit 127.0.0.1 2>/dev/null
	until_done test ! -e /tmp/control
}

# The far end of -L and -D is sshd, that of -R the client.
forward -L 9001:127.0.0.1:80
curl -sS http://127.0.0.1:9001/
front_port sshd
forward_end
su - ann -c "ssh -f -N -M -S ~/control -D 9002 $to"
curl -sS --socks5 127.0.0.1:9002 http://127.0.0.1/
front_port sshd
su - ann -c 'ssh -S ~/control -O exit 127.0.0.1' 2>/dev/null
forward -R 9003:127.0.0.1:80
curl -sS http://127.0.0.1:9003/
front_port ssh
forward_end
# sshd is asked for any port, and binds to port 0.
forward -R 0:127.0.0.1:80 2>/tmp/allocated
allocated=$(tr -dc 0-9 </tmp/allocated | sed 's/1270*0*180$//')
port sshd-remote "$allocated"
curl -sS "http://127.0.0.1:$allocated/"
front_port ssh
forward_end
descriptors_of "$(cat /run/sshd.pid)" sshd
