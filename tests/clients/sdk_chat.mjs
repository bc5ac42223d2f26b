// Two people chat with our own client, whatever the test does to the network meanwhile.
// usage: node sdk_chat.mjs URL MEMBER_TOKEN COUNSELLOR_TOKEN CONVERSATION_ID COUNT
// Prints {"said": n} after each turn, then {"report": …}: what each heard, what was acknowledged,
// and the states of the connection in order.
import WebSocket from 'ws';
import { connect, memoryStore, token } from '../../gateway/web/sdk/dist/index.js';

const [url, memberToken, counsellorToken, conversation, count] = process.argv.slice(2);
const COUNT = Number(count);
const WITHIN_MS = 20_000;

const PLACE = 'query ($id: ID!) { conversation(id: $id) { position } }';
const EVENTS = `subscription ($id: ID!) { conversationEvents(conversationId: $id) {
  __typename ... on MessageSent { message { seq clientKey text } } } }`;
const SEND = `mutation ($input: SendMessageInput!) { sendMessage(input: $input) { message { seq clientKey } } }`;

class Person {
  heard = [];
  acknowledged = {};
  states = [];
  faults = [];

  constructor(account, secret) {
    this.client = connect({
      url, auth: token(() => secret), webSocket: WebSocket, backoff: { firstMs: 50, maxMs: 400 }, timeoutMs: 5_000,
    });
    this.client.connection.watch(({ is }) => { if (is !== this.states.at(-1)) this.states.push(is); });
    this.outbox = this.client.openOutbox({ account, store: memoryStore() });
  }

  listen() {
    return new Promise((ready) => {
      this.client.follow(EVENTS, { id: conversation }, {
        snapshot: async () => (await this.client.query(PLACE, { id: conversation })).conversation.position,
        next: ({ conversationEvents: event }) => { if (event.__typename === 'MessageSent') this.heard.push(event.message); },
        error: ({ code }) => this.faults.push(code),
        state: (state) => { if (state === 'live') ready(); },
      });
    });
  }

  async say(text) {
    const { sendMessage: { message } } = await this.outbox.send(
      SEND, (clientKey) => ({ input: { conversationId: conversation, text, clientKey } }), { lane: conversation },
    );
    this.acknowledged[message.clientKey] = message.seq;
  }

  report() {
    const { heard, acknowledged, states, faults } = this;
    return { heard, acknowledged, states, faults, left: this.outbox.entries.current.length };
  }
}

const member = new Person('member', memberToken);
const counsellor = new Person('counsellor', counsellorToken);
await Promise.all([member.listen(), counsellor.listen()]);
for (let n = 0; n < COUNT; n += 1) {
  await Promise.all([member.say(`m${n} 你好·𠮷`), counsellor.say(`c${n} 慢慢说`)]);
  console.log(JSON.stringify({ said: n }));
}
const isComplete = () => [member, counsellor].every(
  ({ heard, client }) => heard.length >= 2 * COUNT && client.connection.current.is === 'live',
);
const deadline = Date.now() + WITHIN_MS;
while (!isComplete() && Date.now() < deadline) await new Promise((done) => setTimeout(done, 10));
console.log(JSON.stringify({ report: { member: member.report(), counsellor: counsellor.report() } }));
member.client.dispose();
counsellor.client.dispose();
