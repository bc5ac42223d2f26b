// Relay does the chores, and what is its own: pages that its store puts together, forwards at the root and backwards in a
// node; a mutation that appends to them; a node fetched anew by its global id.
// usage: node relay.mjs stock HTTP_URL WS_URL TOKEN OTHER_TOKEN CONVERSATION_ID
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { parse, print } from 'graphql';
import { createClient } from 'graphql-ws';
import * as relay from 'relay-runtime';
import * as chores from './chores.mjs';

const { http, socket, token, headers, conversation } = chores;
const PAGE = 2;

/** What relay-compiler has made of each text, by name; a text that has changed since is an error, as in Relay's own plugin. */
function compiled() {
  const require = createRequire(import.meta.url);
  const texts = readFileSync(new URL('relay/chores.js', import.meta.url), 'utf8').matchAll(/graphql`([^`]*)`/g);
  return Object.fromEntries([...texts].map(([, text]) => {
    const [definition] = parse(text).definitions;
    const name = definition.name.value;
    const artifact = require(`./relay/__generated__/${name}.graphql.js`);
    const hash = createHash('md5').update(print(definition)).digest('hex');
    if (artifact.hash !== hash) throw new Error(`${name} has changed: run relay-compiler (docs/conformance.md)`);
    return [name, artifact];
  }));
}

const ws = createClient({ url: socket, webSocketImpl: chores.Cuttable, connectionParams: { token }, retryAttempts: 0 });
const environment = new relay.Environment({
  store: new relay.Store(new relay.RecordSource()),
  network: relay.Network.create(
    async ({ text: query }, variables) => {
      const body = JSON.stringify({ query, variables });
      const response = await fetch(http, { method: 'POST', headers: { ...headers, 'content-type': 'application/json' }, body });
      return response.json();
    },
    ({ name: operationName, text: query }, variables) =>
      relay.Observable.create((sink) => ws.subscribe({ operationName, query, variables }, sink)),
  ),
});

const documents = compiled();
const kept = [];

/** Ask, and keep the answer in the store. */
async function ask(query, variables) {
  kept.push(environment.retain(relay.createOperationDescriptor(query, variables)));
  return relay.fetchQuery(environment, query, variables).toPromise();
}

/** What the store has for a fragment now. */
function shown(fragment, owner) {
  const { data, isMissingData } = environment.lookup(relay.getSingularSelector(fragment, owner));
  if (isMissingData) throw new Error(`the store lacks some of ${fragment.name}`);
  return data;
}

/** The query by which Relay's hooks fetch a fragment anew: at the root, or the node that it is of. */
function refetch({ metadata: { refetch: { operation, identifierInfo } } }, data, variables) {
  const id = identifierInfo && { [identifierInfo.identifierQueryVariableName]: data[identifierInfo.identifierField] };
  return ask(operation, { count: PAGE, ...id, ...variables });
}

const SEND = documents.choresSendMutation;
const send = (text) => new Promise((onCompleted, onError) => {
  const connections = [relay.ConnectionHandler.getConnectionID(conversation, 'chores_messages')];
  const variables = { ...chores.input(text), connections };
  relay.commitMutation(environment, { mutation: SEND, variables, onCompleted, onError });
});

const idsHeard = [];

async function talk() {
  const fragment = documents.chores_messages;
  const { conversation: owner } = await ask(documents.choresTalkQuery, { id: conversation, count: PAGE });
  const now = () => shown(fragment, owner);
  const seqs = () => now().messages.edges.map(({ node }) => node.seq);

  while (now().messages.pageInfo.hasPreviousPage) {
    await refetch(fragment, now(), { cursor: now().messages.pageInfo.startCursor });
  }
  const backwards = seqs();
  const isSame = now().messages.edges.every(({ node }, at) => node.id === idsHeard[at]);
  await send('五');
  const appended = seqs();
  await chores.say('六');
  await refetch(fragment, now(), {});
  return { backwards, isSame, appended, refetched: [now().topSeq, seqs()] };
}

await chores.doChores({
  async names() {
    const fragment = documents.chores_unions;
    const root = await ask(documents.choresUnionsQuery, { count: PAGE });
    const now = () => shown(fragment, root);
    while (now().unions.pageInfo.hasNextPage) {
      await refetch(fragment, now(), { cursor: now().unions.pageInfo.endCursor });
    }
    return now().unions.edges.map(({ node }) => node.name);
  },
  async refuse() {
    const { source } = await send('  ').catch((why) => why);
    return source.errors[0].extensions.code;
  },
  async position() {
    return (await ask(documents.choresTalkQuery, { id: conversation, count: PAGE })).conversation.position;
  },
  follow(after, take, broken) {
    const { dispose } = relay.requestSubscription(environment, {
      subscription: documents.choresEventsSubscription,
      variables: { id: conversation, after },
      onNext(data) {
        const { message } = data.conversationEvents;
        if (message) idsHeard.push(message.id);
        take(data);
      },
      onError: () => queueMicrotask(() => {
        dispose();
        broken();
      }),
    });
  },
  further: talk,
});
