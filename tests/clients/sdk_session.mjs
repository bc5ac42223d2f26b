// An app of ours signs in, exchanges its token, follows, and is then signed out from elsewhere. Its
// documents go as hashes that the server does not know, and so once more as text.
// usage: node sdk_session.mjs URL IDENTIFIER PASSWORD
// Prints one JSON object.
import { createHash } from 'node:crypto';
import WebSocket from 'ws';
import { bearer, connect, trusted } from '../../gateway/web/sdk/dist/index.js';

const [url, identifier, password] = process.argv.slice(2);
const hashed = (text) => trusted(text, createHash('sha256').update(text).digest('hex'));
const VIEWER = hashed('{ viewer { kind sessionId } }');
const MINE = hashed('subscription { myEvents { kind } }');
const WATCH_MS = 400;

let sockets = 0;
class Counted extends WebSocket {
  constructor(...given) {
    super(...given);
    sockets += 1;
  }
}

function anApp(kept = null) {
  const saved = [];
  const store = { load: async () => kept, save: async (session) => { saved.push(session); } };
  const backoff = { firstMs: 20, maxMs: 50 };
  const client = connect({ url, auth: bearer({ store }), webSocket: Counted, backoff, trustedDocuments: true });
  return { client, saved };
}

const first = anApp();
const { sessionId } = await first.client.signIn({ identifier, password });
const { viewer } = await first.client.query(VIEWER);
first.client.dispose();

// The app is started again, and its access token has ended meanwhile.
const second = anApp({ ...first.saved[0], accessTokenExpiresAt: Date.now() - 1 });
const { client } = second;
const again = (await client.query(VIEWER)).viewer;
const ended = new Promise((done) => {
  client.follow(MINE, {}, {
    next: () => {},
    error: (error) => done(error),
    state: async (state) => {
      if (state !== 'live') return;
      const other = anApp();
      await other.client.signIn({ identifier, password });
      await other.client.signOut({ everywhere: true });
    },
  });
});
const { code, extensions } = await ended;
const before = sockets;
await new Promise((done) => setTimeout(done, WATCH_MS)); // many times the longest pause between attempts
console.log(JSON.stringify({
  isSame: viewer.sessionId === sessionId && again.sessionId === sessionId,
  isExchanged: second.saved[0].accessToken !== first.saved[0].accessToken && second.saved[0].device === first.saved[0].device,
  ...{ code, reason: extensions.reason, state: client.connection.current, attemptsAfter: sockets - before },
  refused: await client.query(VIEWER).catch((error) => error.code),
}));
process.exit(0); // not before the sockets that fetch keeps have been given up, else
