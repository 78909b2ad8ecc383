#!/bin/sh
# What README.md supposes to be there, made in a machine as root before its commands are run: the host is 10.20.0.1, and behind a
# wire are a web server (example.org), two databases, and a firewall that can be raised in front of them.
set -eu
# shellcheck source=/dev/null
. /machine/common.sh

# --- two hosts ---
ip netns add far
ip link add near0 type veth peer name far0 netns far
ip address add 10.20.0.1/24 dev near0
ip link set near0 up
ip -n far address add 10.20.0.5/24 dev far0
ip -n far address add 10.20.0.6/24 dev far0
ip -n far address add 10.20.0.80/24 dev far0
ip -n far link set lo up
ip -n far link set far0 up
echo '10.20.0.80 example.org' >>/etc/hosts

# --- what listens on the far one ---
cat >/machine/serve.py <<'end'
"""One line for each client: where it comes from. `web` hangs up, `keep` keeps the connection until the client ends it."""
import socket, socketserver, sys

class Web(socketserver.StreamRequestHandler):
    def handle(self):
        self.request.recv(4096)
        words = f'hello, port {self.client_address[1]}\n'
        self.wfile.write(f'HTTP/1.0 200 OK\r\n\r\n{words}'.encode())

class Keep(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.sendall(f'welcome, port {self.client_address[1]}\n'.encode())
        while self.request.recv(4096):
            pass

class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

Server((sys.argv[1], int(sys.argv[2])), {'web': Web, 'keep': Keep}[sys.argv[3]]).serve_forever()
end
for server in '10.20.0.80 80 web' '10.20.0.5 1521 keep' '10.20.0.6 1521 keep'; do
	# shellcheck disable=SC2086 # its words
	setsid ip netns exec far python3 /machine/serve.py $server >/dev/null 2>&1 </dev/null &
done
for server in 10.20.0.80/80 10.20.0.5/1521 10.20.0.6/1521; do
	until_done bash -c "exec 3<>/dev/tcp/$server"
done

# --- the legacy program of the examples: it connects to its databases and keeps the connections ---
mkdir -p /opt/erp/bin
cat >/opt/erp/bin/erp <<'end'
#!/usr/bin/python3
import signal, socket
connections = [socket.create_connection((host, 1521), 10) for host in ('10.20.0.5', '10.20.0.6')]
for connection in connections:
    print(connection.recv(100).decode().strip(), flush=True)
signal.pause()
end
chmod 755 /opt/erp/bin/erp
