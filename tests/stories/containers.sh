#!/bin/sh
# containers.sh BUILD FOLDER: makes the images of tools/packaging/docker in FOLDER by podman, as its Dockerfile says, and of `erp`, a program
# that connects to port 7000 of its host and says from which port. Afterwards FOLDER/env has the variables for podman.
set -eu

build=$1
folder=$2
docker=tools/packaging/docker

# A root of one's own suffices: no other limits than the machine's, nothing of it in cgroups.
mkdir -p "$folder/tmp" "$folder/erp"
cat >"$folder/containers.conf" <<end
[containers]
cgroups = "disabled"
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
cgroup_manager = "cgroupfs"
runtime = "crun"
[network]
network_config_dir = "$folder/networks"
default_subnet_pools = [{"base" = "10.89.0.0/16", "size" = 24}]
end
cat >"$folder/storage.conf" <<end
[storage]
driver = "overlay"
graphroot = "$folder/store"
runroot = "$folder/run"
end
cat >"$folder/env" <<end
export CONTAINERS_CONF=$folder/containers.conf CONTAINERS_STORAGE_CONF=$folder/storage.conf BUILDAH_ISOLATION=chroot TMPDIR=$folder/tmp HOME=$folder
end
# shellcheck source=/dev/null
. "$folder/env"

python3 tests/stories/base_image.py base-files base-passwd bash coreutils dash dpkg apt grep sed gcc libc6-dev make libinih-dev |
	podman import --quiet - docker.io/library/debian:bookworm-slim >/dev/null
eval "$(sed -n 's/^# *docker build/podman build --quiet/p' $docker/Dockerfile)" >/dev/null

cp "$build/tests/probes/act" "$folder/erp"
cat >"$folder/erp/Dockerfile" <<'end'
FROM debian:bookworm-slim
COPY act /usr/bin/act
CMD ["act", "socket 0 tcp4", "connect 0 10.89.0.1 7000", "name 0"]
end
podman build --quiet -t erp "$folder/erp" >/dev/null
cp $docker/compose.yaml "$folder"
