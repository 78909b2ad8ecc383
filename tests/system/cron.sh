#!/bin/sh
# cron runs the jobs of a start of the machine.
# shellcheck source=/dev/null
. /machine/common.sh

until_done test -e ~ann/ended
cat ~ann/job
front_port ann
descriptors_of "$(cat /run/crond.pid)" cron
