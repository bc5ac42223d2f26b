// The `ws` package reads our prebuilt frames at the borders of the header (RFC 6455 §5.2), and texts of any kind.
// usage: node frames.mjs WS_URL TOKEN BYTES...
// For each number: a ping whose answer is a frame of so many bytes. Then a mutation with half a character, which is
// refused alone; then a subscription. Prints what came, a JSON object a line; ends when the socket is closed.
import WebSocket from 'ws';

const [url, token, ...sizes] = process.argv.slice(2);
const socket = new WebSocket(url, 'graphql-transport-ws');
const pongs = [];

const tell = (what) => console.log(JSON.stringify(what));
const say = (message) => socket.send(JSON.stringify(message));

function ping(bytes) {
  const room = bytes - Buffer.byteLength(JSON.stringify({ type: 'pong', payload: { t: '' } }));
  const text = '🌏'.repeat(Math.floor(room / 4)) + 'x'.repeat(room % 4);
  say({ type: 'ping', payload: { t: text } });
  return text;
}

let text;
function next() {
  if (pongs.length < sizes.length) {
    text = ping(Number(sizes[pongs.length]));
    return;
  }
  tell({ pongs, extensions: socket.extensions });
  say({ type: 'subscribe', id: 'm', payload: { query: 'mutation', variables: { t: '\ud83c' } } });
}

socket.on('open', () => say({ type: 'connection_init', payload: { token } }));
socket.on('message', (data) => {
  const message = JSON.parse(data.toString());
  if (message.type === 'pong') pongs.push([data.length, message.payload.t === text]);
  if (message.type === 'pong' || message.type === 'connection_ack') next();
  if (message.id === 'm') {
    tell({ refused: message.payload[0].extensions.code });
    say({ type: 'subscribe', id: 'a', payload: { query: 'subscription', variables: { streams: ['cv:1'] } } });
  }
  if (message.type === 'ping' && message.payload) tell({ live: true });
  if (message.id === 'a') tell({ event: [data.length, message.payload.data.event.text] });
});
socket.on('close', (code) => tell({ code }));
