#!/bin/sh
# The first process under the other kernel: mounts what a machine has, runs the tests, says how they ended, switches off.
# From the kernel's command line: TREE and BUILD, KIND and WORDS as run.sh has them, TO, a folder for logs and the answer.
mount -t proc proc /proc
prlimit --pid $$ --nofile=65536 # as on a machine
mount -t sysfs sysfs /sys
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs /run
case $TREE/ in
/tmp/*) ;; # what is there is needed
*) mount -t tmpfs tmpfs /tmp ;;
esac
ip link set lo up

# All that the tests need, since nothing is loaded when it is asked for: modprobe looks for the machine's own kernel.
for module in ipv6 veth tcp_diag udp_diag hmac sctp sctp_diag dccp_ipv4 dccp_ipv6 dccp_diag; do
	modprobe -d "$TO" "$module" || echo "$module is missing"
done
echo >/proc/sys/kernel/modprobe

cd "$TREE" || exit
export PORTSHIM_BUILD="$BUILD" PORTSHIM_PROTOCOLS=all PATIENCE=5
status=0
[ "$KIND" != early ] || "$BUILD/oldkernel/hide_range" /sys/fs/cgroup || status=1
echo "== $KIND: $(uname -sr)"
for word in $(echo "$WORDS" | tr , ' '); do
	tests/run.sh "$TO" "$word" </dev/null || status=1
done
echo $status >"$TO/status"
sync
echo o >/proc/sysrq-trigger
while :; do
	sleep 60
done
