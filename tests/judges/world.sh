#!/bin/sh
# Runs a command in a world of its own: network, processes, /dev/shm; bare or under the library.
# `world.sh WAY COMMAND...`, in a folder where it may write; a rule's ports given go to the file `given` there.
#   bare   without the library
#   idle   with a policy of which no rule matches
#   early  with a rule for all; its ports lie outside the kernel's range
#   late   the same, inside
set -eu

way=$1
shift
export JUDGES_WAY="$way"
# shellcheck disable=SC2016 # for the inner shell
exec timeout -k 10 "$JUDGES_SECONDS" unshare --net --mount --pid --fork --kill-child --mount-proc sh -c '
	ip link set lo up
	echo 40000 48999 >/proc/sys/net/ipv4/ip_local_port_range
	mount -t tmpfs -o mode=1777 shm /dev/shm
	unset http_proxy https_proxy ftp_proxy all_proxy no_proxy HTTP_PROXY HTTPS_PROXY FTP_PROXY ALL_PROXY NO_PROXY
	case $JUDGES_WAY in
	bare)
		"$@"
		exit ;;
	idle)	rule="program = /nowhere/at-all" ports=20000-29999 ;;
	early)	rule= ports=20000-29999 ;;
	late)	rule= ports=40000-48999 ;;
	esac
	printf "[rule all]\n%s\nports = %s\n" "$rule" $ports >policy
	status=0
	"$JUDGES_BUILD/portshim" run -c policy -- "$@" || status=$?
	"$JUDGES_BUILD/portshim" status --json |
		sed -n "s/^  \"given\": \([0-9]*\),$/$JUDGES_WAY \1/p" >given
	exit $status' sh "$@"
