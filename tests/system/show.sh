#!/bin/sh
# show.sh PROGRAM: a copy of the probe `act` shows which port it is given.
exec "$1" 'socket 0 udp4' 'connect 0 127.0.0.1 9' 'name 0'
