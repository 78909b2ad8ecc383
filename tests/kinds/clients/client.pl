# One client, as its argument says; prints what the server on port 5000 answers.
use strict;
use warnings;
use IO::Select;
use IO::Socket::INET;
use IO::Socket::IP;

my $kind = shift;
my $host = $kind =~ /6$/ ? '::1' : '127.0.0.1';
my @to = (PeerHost => $host, PeerPort => 5000);
my @from = $kind =~ /bound/ ? (LocalHost => $host) : ();
my $socket;

if ($kind =~ /^udp/) {
	$socket = IO::Socket::IP->new(@to, @from, Proto => 'udp') or die $@;
} elsif ($kind eq 'tcp-nonblocking') {
	$socket = IO::Socket::IP->new(@to, Blocking => 0) or die $@;
	until ($socket->connect) {
		die $! unless $!{EINPROGRESS} || $!{EALREADY};
		IO::Select->new($socket)->can_write;
	}
	$socket->blocking(1);
} elsif ($kind =~ /^inet/) {
	$socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1:5000', @from ? (LocalAddr => $host) : ()) or die $@;
} else {
	$socket = IO::Socket::IP->new(@to, @from) or die $@;
}
$socket->send("hello\n");
$socket->recv(my $answer, 100);
print $answer;
