// The stock graphql-ws client on a laptop that is put to sleep and wakes up again.
// usage: node sleep.mjs WS_URL TOKEN
// Prints a line for each acknowledged connection and for each close; ends with the second connection.
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';

const [url, token] = process.argv.slice(2);
let connected = 0;
const client = createClient({
  url,
  lazy: false,
  connectionParams: { token },
  webSocketImpl: WebSocket,
  retryAttempts: 5,
  retryWait: () => new Promise((done) => setTimeout(done, 20)),
  onNonLazyError: (error) => { console.log(`gave up ${error?.code ?? error}`); process.exit(1); },
  on: {
    connected: () => {
      connected += 1;
      console.log('connected');
      if (connected === 2) { client.dispose(); setTimeout(() => process.exit(0), 50); }
    },
    closed: (event) => console.log(`closed ${event.code}`),
  },
});
