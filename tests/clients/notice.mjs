// The stock graphql-ws client at a cadre's desk: publish, watch the board, two forced disconnects.
// usage: node notice.mjs WS_URL PUBLISHER_TOKEN UNION_ID OFFICER_TOKEN OFFICER_UNION_ID …
// Prints one JSON object: what each officer received and the boards that the publisher saw.
import { randomUUID } from 'node:crypto';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';

const [url, publisherToken, publisherUnion, ...rest] = process.argv.slice(2);

const INBOX = `subscription ($id: ID!) { inboxEvents(unionId: $id) {
  kind noticeId versionNo title } }`;
const BOARD = `subscription ($id: ID!) { receiptBoardEvents(noticeId: $id) {
  kind counts { recipients delivered read confirmed } } }`;
const PUBLISH = `mutation ($input: PublishNoticeInput!) { publishNotice(input: $input) { notice { id title } } }`;
const CONFIRM = `mutation ($notice: ID!, $union: ID!) {
  confirmNotice(input: {noticeId: $notice, unionId: $union, versionNo: 1}) { receipt { kind at } } }`;

class Desk {
  constructor(token) {
    this.client = createClient({
      url,
      connectionParams: { token },
      webSocketImpl: WebSocket,
      retryAttempts: 20,
      shouldRetry: () => true,
      retryWait: () => new Promise((done) => setTimeout(done, 50)),
      on: { opened: (socket) => { this.socket = socket; } },
    });
  }

  follow(query, variables, take) {
    const since = {};
    const payload = { query, variables, extensions: { rt: { since } } };
    return new Promise((ready) => {
      this.client.on('ping', (_received, body) => {
        for (const positions of Object.values(body?.rt?.live ?? {})) {
          for (const [stream, place] of Object.entries(positions)) since[stream] = place;
        }
        if (body?.rt?.live) ready();
      });
      this.client.subscribe(payload, {
        next: (answer) => {
          const rt = answer.extensions?.rt ?? {};
          if (rt.o !== undefined) {
            if (since[rt.s] && rt.o <= since[rt.s][1]) return;
            since[rt.s] = [rt.e, rt.o];
          }
          take(answer.data);
        },
        error: (error) => { console.error(error); process.exit(1); },
        complete: () => {},
      });
    });
  }

  async once(query, variables) {
    for (;;) {
      try {
        const answer = await new Promise((done, failed) => {
          let result;
          this.client.subscribe({ query, variables }, {
            next: (value) => { result = value; }, error: failed, complete: () => done(result),
          });
        });
        if (answer.errors) throw new Error(JSON.stringify(answer.errors));
        return answer.data;
      } catch (error) {
        if (!(error?.code >= 1000)) throw error;
      }
    }
  }

  cut() { this.socket.terminate(); }
}

const officers = [];
for (let n = 0; n < rest.length; n += 2) {
  const desk = new Desk(rest[n]);
  desk.union = rest[n + 1];
  desk.received = [];
  officers.push(desk);
}
await Promise.all(officers.map((desk) => desk.follow(INBOX, { id: desk.union }, (data) => {
  if (data.inboxEvents.kind === 'PUBLISHED') desk.received.push(data.inboxEvents);
})));

const publisher = new Desk(publisherToken);
const key = randomUUID();
const input = {
  publisherId: publisherUnion,
  audience: { unionIds: officers.map((desk) => desk.union) },
  title: '关于年底换届选举的通知',
  body: '请各工会于**十二月底**前完成换届选举。',
  wantsConfirmation: true,
  clientKey: key,
};
officers[0].cut();
const { publishNotice } = await publisher.once(PUBLISH, { input });
const boards = [];
await publisher.follow(BOARD, { id: publishNotice.notice.id }, (data) => boards.push(data.receiptBoardEvents.counts));
const until = async (condition) => {
  const deadline = Date.now() + 15000;
  while (!condition() && Date.now() < deadline) await new Promise((done) => setTimeout(done, 20));
};
await until(() => officers.every((desk) => desk.received.length === 1));
publisher.cut();
await Promise.all(officers.map((desk) => desk.once(CONFIRM, { notice: publishNotice.notice.id, union: desk.union })));
await until(() => boards.some((board) => board.confirmed === officers.length));
console.log(JSON.stringify({
  notice: publishNotice.notice,
  received: officers.map((desk) => desk.received),
  boards,
}));
process.exit(0);
