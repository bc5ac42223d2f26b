// What the stock graphql-ws client can be told to do, against our server: it connects when there is something to ask and
// leaves afterwards, pings by itself, names its operations itself, iterates, is terminated and comes back.
// usage: node habits.mjs WS_URL TOKEN
// Prints one JSON object a line.
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';

const [url, token] = process.argv.slice(2);
const tell = (what) => console.log(JSON.stringify(what));
const sent = [];
class Heard extends WebSocket {
  send(data) { sent.push(JSON.parse(data)); super.send(data); }
}

let connects = 0;
let pongs = 0;
let ids = 0;
let leave;
const left = new Promise((done) => { leave = done; });
const client = createClient({
  url,
  connectionParams: async () => ({ token }),
  webSocketImpl: Heard,
  lazyCloseTimeout: 0,
  keepAlive: 20,
  retryWait: () => Promise.resolve(),
  generateID: () => `n${(ids += 1)}`,
  on: {
    connected: () => { connects += 1; },
    pong: () => { pongs += 1; },
    closed: (event) => { if (event.code === 1000) leave(); },
  },
});

await new Promise((done) => setImmediate(done));
tell({ lazy: sent.length === 0 });

const answers = [];
for await (const answer of client.iterate({ query: 'query' })) answers.push(answer.data);
tell({ answers });

const events = client.iterate({ query: 'subscription', variables: { streams: ['cv:1'] } });
const first = events.next();
client.on('ping', (_received, payload) => { if (payload?.rt?.live) tell({ live: connects }); });
tell({ event: (await first).value.data.event.text });
const second = events.next();
client.terminate();
tell({ event: (await second).value.data.event.text });
while (pongs === 0) await new Promise((done) => setTimeout(done, 5));
await events.return();
await left;
tell({ ids: [...new Set(sent.map((message) => message.id).filter(Boolean))], connects });
