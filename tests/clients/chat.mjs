// The stock graphql-ws client in a chat: two people, two forced disconnects in mid-sentence.
// usage: node chat.mjs WS_URL MEMBER_TOKEN COUNSELLOR_TOKEN CONVERSATION_ID COUNT
// Prints one JSON object: what each of the two heard and what was acknowledged.
import { randomUUID } from 'node:crypto';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';

const [url, memberToken, counsellorToken, conversation, count] = process.argv.slice(2);
const COUNT = Number(count);

const EVENTS = `subscription ($id: ID!) { conversationEvents(conversationId: $id) {
  __typename ... on MessageSent { message { seq clientKey text } } } }`;
const SEND = `mutation ($id: ID!, $key: UUID!, $text: String!) {
  sendMessage(input: {conversationId: $id, clientKey: $key, text: $text}) { message { seq clientKey } } }`;

class Person {
  constructor(token) {
    this.heard = [];
    this.acknowledged = {};
    this.connects = 0;
    this.client = createClient({
      url,
      connectionParams: { token },
      webSocketImpl: WebSocket,
      retryAttempts: 20,
      shouldRetry: () => true,
      retryWait: () => new Promise((done) => setTimeout(done, 50 + Math.random() * 50)),
      on: {
        opened: (socket) => { this.socket = socket; this.connects += 1; },
      },
    });
  }

  // The position lives in the payload object itself: the client sends it anew after a reconnect.
  listen() {
    const since = {};
    const payload = { query: EVENTS, variables: { id: conversation }, extensions: { rt: { since } } };
    return new Promise((ready) => {
      this.client.on('ping', (_received, body) => {
        for (const positions of Object.values(body?.rt?.live ?? {})) Object.assign(since, positions);
        if (body?.rt?.live) ready();
      });
      this.client.subscribe(payload, {
        next: (answer) => {
          const rt = answer.extensions?.rt ?? {};
          if (rt.o !== undefined) {
            if (since[rt.s] && rt.o <= since[rt.s][1]) return;
            since[rt.s] = [rt.e, rt.o];
          }
          const event = answer.data.conversationEvents;
          if (event.__typename === 'MessageSent') this.heard.push(event.message);
        },
        error: (error) => { console.error(error); process.exit(1); },
        complete: () => {},
      });
    });
  }

  // An outbox of one: the same key until the answer comes.
  async say(text) {
    const key = randomUUID();
    for (;;) {
      try {
        const answer = await this.once(SEND, { id: conversation, key, text });
        if (answer.errors) throw new Error(JSON.stringify(answer.errors));
        this.acknowledged[key] = answer.data.sendMessage.message.seq;
        return;
      } catch (error) {
        if (!(error?.code >= 1000)) throw error;
      }
    }
  }

  once(query, variables) {
    return new Promise((done, failed) => {
      let result;
      this.client.subscribe(
        { query, variables },
        { next: (answer) => { result = answer; }, error: failed, complete: () => done(result) },
      );
    });
  }

  cut() { this.socket.terminate(); }
}

const member = new Person(memberToken);
const counsellor = new Person(counsellorToken);
await Promise.all([member.listen(), counsellor.listen()]);
for (let n = 0; n < COUNT; n += 1) {
  const pending = [member.say(`m${n} 你好·𠮷`), counsellor.say(`c${n} 慢慢说`)];
  if (n === Math.floor(COUNT / 3)) member.cut();
  if (n === Math.floor((2 * COUNT) / 3)) { counsellor.cut(); member.cut(); }
  await Promise.all(pending);
}
const total = 2 * COUNT;
const deadline = Date.now() + 15000;
while ((member.heard.length < total || counsellor.heard.length < total) && Date.now() < deadline) {
  await new Promise((done) => setTimeout(done, 20));
}
console.log(JSON.stringify({
  member: { heard: member.heard, acknowledged: member.acknowledged, connects: member.connects },
  counsellor: { heard: counsellor.heard, acknowledged: counsellor.acknowledged, connects: counsellor.connects },
}));
await Promise.all([member.client.dispose(), counsellor.client.dispose()]);
process.exit(0);
