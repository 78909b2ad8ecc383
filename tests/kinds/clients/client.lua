-- One client, as its argument says; prints what the server on port 5000 answers.
local socket = require("socket")
local kind = arg[1]
local six = kind:match("6$")
local host = six and "::1" or "127.0.0.1"
local client

if kind:match("^udp") then
	client = six and socket.udp6() or socket.udp4()
	if kind:match("bound") then assert(client:setsockname(host, 0)) end
	if kind:match("unconnected") then
		assert(client:sendto("hello\n", host, 5000))
		io.write((client:receivefrom()))
		os.exit(0)
	end
	assert(client:setpeername(host, 5000))
	client:send("hello\n")
	io.write((client:receive()))
else
	client = six and socket.tcp6() or socket.tcp4()
	if kind:match("bound") then assert(client:bind(host, 0)) end
	assert(client:connect(host, 5000))
	client:send("hello\n")
	io.write((client:receive("*a")))
end
