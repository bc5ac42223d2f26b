// What a front end does all day, whatever GraphQL client it has: pages of a list, a mutation that is
// refused, a subscription that survives a cut. Each script brings the client.
import { randomUUID } from 'node:crypto';
import WebSocket from 'ws';

export const [http, socket, token, otherToken, conversation] = process.argv.slice(3);
export const mode = process.argv[2];
export const headers = { authorization: `Bearer ${token}` };

export const UNIONS = `query Unions($after: String) { unions(level: ZONE, first: 2, after: $after) {
  edges { cursor node { id name } } pageInfo { hasNextPage endCursor } } }`;
export const SEND = `mutation Send($input: SendMessageInput!) { sendMessage(input: $input) { message { seq } } }`;
export const POSITION = `query Position($id: ID!) { conversation(id: $id) { position } }`;
export const EVENTS = `subscription Events($id: ID!, $after: String) {
  conversationEvents(conversationId: $id, after: $after) {
    __typename ... on MessageSent { cursor message { seq } } ... on MarksAdvanced { cursor } } }`;

const WITHIN_MS = 15_000;
export const pause = (ms) => new Promise((done) => setTimeout(done, ms));
export const until = async (condition) => {
  const deadline = Date.now() + WITHIN_MS;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`waited in vain: ${condition}`);
    await pause(5);
  }
};
export const input = (text) => ({ input: { conversationId: conversation, text, clientKey: randomUUID() } });

/** Sockets that can be cut as a tunnel cuts them. */
export const sockets = [];
export class Cuttable extends WebSocket {
  constructor(...given) {
    super(...given);
    sockets.push(this);
  }
}

/** The other person sends, with no client at all. */
export async function say(text) {
  const response = await fetch(http, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${otherToken}` },
    body: JSON.stringify({ query: SEND, variables: input(text) }),
  });
  const { errors } = await response.json();
  if (errors) throw new Error(JSON.stringify(errors));
}

/**
 * `names()`: all unions, page by page. `refuse()`: the code of a refused mutation. `position()`: where
 * the conversation is. `follow(after, take, broken)`: events; `broken` when it has ended by a cut.
 * `further()`: what else the client has to tell, at the end.
 */
export async function doChores({ names, refuse, position, follow, further = () => ({}) }) {
  const heard = [];
  let after = await position();
  const listen = () => follow(
    after,
    ({ conversationEvents: { __typename, cursor, message } }) => {
      if (cursor) after = cursor;
      if (__typename === 'MessageSent') heard.push(message.seq);
    },
    listen,
  );
  listen();
  await say('一');
  await until(() => heard.length === 1);
  sockets.at(-1).terminate();
  await say('二');
  await say('三');
  await until(() => heard.length >= 3);
  await say('四');
  await until(() => heard.length >= 4);
  const told = { heard: [...heard], names: await names(), refused: await refuse(), ...await further() };
  console.log(JSON.stringify({ ...told, sockets: sockets.length }));
  process.exit(0);
}
