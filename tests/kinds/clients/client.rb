# One client, as its argument says; prints what the server on port 5000 answers.
require 'socket'

kind = ARGV[0]
host = kind.end_with?('6') ? '::1' : '127.0.0.1'
family = kind.end_with?('6') ? Socket::AF_INET6 : Socket::AF_INET

socket =
  case kind
  when 'tcp-bound' then TCPSocket.new(host, 5000, host, 0)
  when 'tcp-happy' then Socket.tcp(host, 5000, connect_timeout: 10)
  when 'tcp-nonblocking'
    s = Socket.new(family, Socket::SOCK_STREAM)
    begin
      s.connect_nonblock(Socket.sockaddr_in(5000, host))
    rescue IO::WaitWritable
      s.wait_writable
    end
    s
  when /^udp/
    s = UDPSocket.new(family)
    s.bind(host, 0) if kind =~ /bound/
    s.connect(host, 5000)
    s
  else TCPSocket.new(host, 5000)
  end
socket.send("hello\n", 0)
print socket.recv(100)
