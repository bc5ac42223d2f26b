// The stock graphql-ws client with its own judgement of which closes are for good.
// usage: node codes.mjs WS_URL TOKEN CODES
// CODES times: connects and tells so; the server closes; tells the code and whether the client has come back.
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';

const [url, token, codes] = process.argv.slice(2);
const tell = (what) => console.log(JSON.stringify(what));

function isBack() {
  return new Promise((done) => {
    let connected = 0;
    let closed;
    const client = createClient({
      url,
      lazy: false,
      connectionParams: { token },
      webSocketImpl: WebSocket,
      retryAttempts: 1,
      retryWait: () => Promise.resolve(),
      onNonLazyError: () => done([closed, false]),
      on: {
        connected: () => {
          connected += 1;
          if (connected === 1) tell({ ready: true });
          else { client.dispose(); done([closed, true]); }
        },
        closed: (event) => { closed ??= event.code; },
      },
    });
  });
}

for (let n = 0; n < Number(codes); n += 1) tell({ outcome: await isBack() });
