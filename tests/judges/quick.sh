#!/bin/sh
# `quick.sh BUILD`: as much of the judges as `make test` has time for.
JUDGES_WAYS='bare early' exec "$(dirname "$0")/run.sh" "$1" cpython \
	test_socket test_select test_ftplib test_asyncio.test_events
