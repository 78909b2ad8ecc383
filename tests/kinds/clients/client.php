<?php
// One client, as its argument says; prints what the server on port 5000 answers.
$kind = $argv[1];
$host = str_ends_with($kind, '6') ? '[::1]' : '127.0.0.1';
$scheme = str_starts_with($kind, 'udp') ? 'udp' : 'tcp';
$options = str_contains($kind, 'bound') ? ['socket' => ['bindto' => "$host:0"]] : [];
$flags = STREAM_CLIENT_CONNECT | (str_contains($kind, 'async') ? STREAM_CLIENT_ASYNC_CONNECT : 0);

if ($kind == 'http') {
	echo file_get_contents('http://127.0.0.1:5000/');
	exit;
}
if ($kind == 'fsockopen')
	$socket = fsockopen('127.0.0.1', 5000);
else
	$socket = stream_socket_client("$scheme://$host:5000", $code, $words, 10, $flags, stream_context_create($options));
$none = null;
$writable = [$socket];
stream_select($none, $writable, $none, 10);
fwrite($socket, "hello\n");
echo fread($socket, 100);
