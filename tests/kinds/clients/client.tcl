# One client, as its argument says; prints what the server on port 5000 answers.
set kind [lindex $argv 0]
set host [expr {[string match *6 $kind] ? "::1" : "127.0.0.1"}]
set options {}
if {[string match *bound* $kind]} { lappend options -myaddr $host }
if {[string match *async* $kind]} { lappend options -async }
set socket [socket {*}$options $host 5000]
if {[string match *async* $kind]} {
	fileevent $socket writable { set connected 1 }
	vwait connected
	fileevent $socket writable {}
}
puts $socket hello
flush $socket
puts -nonewline [read $socket]
