"""One client, as its argument says; prints what the server on port 5000 answers."""
import asyncio
import selectors
import socket
import sys
import urllib.request

kind = sys.argv[1]
host = '::1' if kind.endswith('6') else '127.0.0.1'
family = socket.AF_INET6 if kind.endswith('6') else socket.AF_INET
local = (host, 0) if 'bound' in kind else None


class Datagram(asyncio.DatagramProtocol):
    def __init__(self, answered):
        self.answered = answered

    def connection_made(self, transport):
        transport.sendto(b'hello\n')

    def datagram_received(self, data, addr):
        self.answered.set_result(data)


async def by_streams():
    reader, writer = await asyncio.open_connection(host, 5000, local_addr=local)
    writer.write(b'hello\n')
    answer = await reader.read()
    writer.close()
    return answer


async def by_datagram():
    loop = asyncio.get_running_loop()
    answered = loop.create_future()
    transport, _ = await loop.create_datagram_endpoint(lambda: Datagram(answered), local, (host, 5000))
    answer = await answered
    transport.close()
    return answer


def by_selector():
    s = socket.socket(family)
    s.setblocking(False)
    s.connect_ex((host, 5000))
    selector = selectors.DefaultSelector()
    selector.register(s, selectors.EVENT_WRITE)
    selector.select()
    s.sendall(b'hello\n')
    selector.modify(s, selectors.EVENT_READ)
    selector.select()
    return s.recv(100)


def by_socket(type):
    s = socket.socket(family, type)
    if local:
        s.bind(local)
    if 'unconnected' in kind:
        s.sendto(b'hello\n', (host, 5000))
    else:
        s.connect((host, 5000))
        s.send(b'hello\n')
    return s.recv(100)


if kind.startswith('asyncio-udp'):
    answer = asyncio.run(by_datagram())
elif kind.startswith('asyncio'):
    answer = asyncio.run(by_streams())
elif kind.startswith('selector'):
    answer = by_selector()
elif kind == 'http':
    answer = urllib.request.urlopen('http://127.0.0.1:5000/').read()
else:
    answer = by_socket(socket.SOCK_DGRAM if kind.startswith('udp') else socket.SOCK_STREAM)
sys.stdout.write(answer.decode())
