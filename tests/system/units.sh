#!/bin/sh
# Run in the root of a machine before systemd starts there, and without the library: services, each in another of
# systemd's sandboxes, that show which port they are given, and say so in /out/NAME. machine.target is all of them.
set -e

rm -rf /etc/systemd/system/*.wants /etc/systemd/system/*.requires
mkdir -m 777 /out
mkdir -p /etc/systemd/system/machine.target.wants
# The kernel of the test is not the machine's to set up.
for unit in systemd-udevd systemd-modules-load systemd-sysctl systemd-binfmt systemd-networkd systemd-resolved; do
	ln -sf /dev/null /etc/systemd/system/$unit.service
done
cat >/etc/systemd/system/machine.target <<'end'
[Unit]
Requires=basic.target nginx.service cron.service ssh.service
After=basic.target nginx.service cron.service ssh.service
end

# unit NAME LINE...: with these lines in its [Service].
unit()
{
	name=$1
	shift
	cat >"/etc/systemd/system/$name.service" <<-end
		[Unit]
		Before=machine.target
		[Service]
		Type=oneshot
		RemainAfterExit=yes
		ExecStart=/bin/sh /machine/show.sh act
		StandardOutput=append:/out/$name
		StandardError=append:/out/$name
		$(printf '%s\n' "$@")
	end
	ln -s "../$name.service" "/etc/systemd/system/machine.target.wants/$name.service"
}

unit plain
unit user User=ann
unit system-calls SystemCallFilter=@system-service
unit families 'RestrictAddressFamilies=AF_INET AF_UNIX'
unit dynamic DynamicUser=yes
unit strict DynamicUser=yes ProtectSystem=strict ProtectHome=yes PrivateTmp=yes PrivateDevices=yes \
	ProtectKernelTunables=yes ProtectKernelModules=yes ProtectKernelLogs=yes ProtectControlGroups=yes ProtectClock=yes \
	ProtectHostname=yes ProtectProc=invisible ProcSubset=pid NoNewPrivileges=yes MemoryDenyWriteExecute=yes \
	LockPersonality=yes RestrictNamespaces=yes RestrictRealtime=yes RestrictSUIDSGID=yes RemoveIPC=yes PrivateUsers=yes \
	CapabilityBoundingSet= SystemCallArchitectures=native SystemCallFilter=@system-service \
	'SystemCallFilter=~@privileged @resources' 'RestrictAddressFamilies=AF_INET AF_UNIX' UMask=0777
unit no-memory InaccessiblePaths=/dev/shm
unit no-memory-to-write ReadOnlyPaths=/dev/shm
unit few-descriptors LimitNOFILE=4 ExecStart= "ExecStart=/usr/local/bin/act 'socket 0 udp4' 'connect 0 127.0.0.1 9' 'name 0'"
unit network PrivateNetwork=yes
unit off Environment=PORTSHIM_DISABLE=1
unit by-group
unit no-policy User=ann InaccessiblePaths=-/etc/portshim.conf
