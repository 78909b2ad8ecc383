// One client, as its argument says; prints what the server on port 5000 answers.
const [, , kind] = process.argv;
const host = kind.endsWith('6') ? '::1' : '127.0.0.1';
const local = kind.includes('bound') ? { localAddress: host } : {};
const show = (answer) => process.stdout.write(answer);

if (kind === 'http') {
  require('http').get({ host, port: 5000, path: '/', agent: false }, (answer) => answer.on('data', show));
} else if (kind === 'http-bound') {
  require('http').request({ host, port: 5000, path: '/', method: 'POST', ...local },
    (answer) => answer.on('data', show)).end('body');
} else if (kind.startsWith('udp')) {
  const socket = require('dgram').createSocket(kind.endsWith('6') ? 'udp6' : 'udp4');
  const send = () => kind.includes('connected')
    ? socket.connect(5000, host, () => socket.send('hello\n'))
    : socket.send('hello\n', 5000, host);
  socket.on('message', (answer) => { show(answer); socket.close(); });
  if (kind.includes('bound'))
    socket.bind(0, host, send);
  else
    send();
} else {
  const socket = require('net').connect({ host, port: 5000, ...local }, () => socket.write('hello\n'));
  socket.on('data', show);
}
