#!/bin/sh
# A job of cron's: ann's.
{ id; pwd; umask; curl -sS http://127.0.0.1/; ls /proc/self/fd; } >~/job 2>&1
touch ~/ended
