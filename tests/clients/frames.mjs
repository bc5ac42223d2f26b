// The `ws` package reads our prebuilt frames at the borders of the header (RFC 6455 §5.2).
// usage: node frames.mjs WS_URL TOKEN BYTES...
// For each number: a ping whose answer is a frame of so many bytes. Prints what came, as JSON.
import WebSocket from 'ws';

const [url, token, ...sizes] = process.argv.slice(2);
const socket = new WebSocket(url, 'graphql-transport-ws');
const got = [];

function ping(bytes) {
  const room = bytes - Buffer.byteLength(JSON.stringify({ type: 'pong', payload: { t: '' } }));
  const text = '🌏'.repeat(Math.floor(room / 4)) + 'x'.repeat(room % 4);
  socket.send(JSON.stringify({ type: 'ping', payload: { t: text } }));
  return text;
}

let text;
function next() {
  if (got.length < sizes.length) text = ping(Number(sizes[got.length]));
  else socket.close(1000);
}

socket.on('open', () => socket.send(JSON.stringify({ type: 'connection_init', payload: { token } })));
socket.on('message', (data) => {
  const message = JSON.parse(data.toString());
  if (message.type === 'pong') got.push([data.length, message.payload.t === text]);
  next();
});
socket.on('close', (code) => console.log(JSON.stringify({ got, code, extensions: socket.extensions })));
