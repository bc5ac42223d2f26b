// urql does the chores. usage: node urql.mjs stock|sdk HTTP_URL WS_URL TOKEN OTHER_TOKEN CONVERSATION_ID
// stock: its fetchExchange and graphql-ws; sdk: our exchange in their place.
import { Client, fetchExchange, subscriptionExchange } from '@urql/core';
import { createClient } from 'graphql-ws';
import { connect, token as bearerToken } from '../../gateway/web/sdk/dist/index.js';
import { unionhallExchange } from '../../gateway/web/sdk/dist/urql.js';
import * as chores from './chores.mjs';

const { http, socket, token, headers, conversation, mode } = chores;

function stock() {
  // It ends at a cut, and we begin anew at the last cursor: the stock client would repeat `after`.
  const ws = createClient({ url: socket, webSocketImpl: chores.Cuttable, connectionParams: { token }, retryAttempts: 0 });
  const forwardSubscription = ({ query, variables }) => ({
    subscribe: (sink) => ({ unsubscribe: ws.subscribe({ query, variables }, sink) }),
  });
  return [fetchExchange, subscriptionExchange({ forwardSubscription })];
}

function sdk() {
  const backoff = { firstMs: 20, maxMs: 100 };
  const client = connect({ url: http, auth: bearerToken(() => token), webSocket: chores.Cuttable, backoff });
  return [unionhallExchange(client)];
}

const urql = new Client({
  url: http,
  preferGetMethod: false,
  fetchOptions: { headers },
  exchanges: mode === 'sdk' ? sdk() : stock(),
});

await chores.doChores({
  async names() {
    const found = [];
    for (let after = null, isMore = true; isMore;) {
      const { data: { unions: { edges, pageInfo } } } = await urql.query(chores.UNIONS, { after }).toPromise();
      found.push(...edges.map(({ node }) => node.name));
      ({ endCursor: after, hasNextPage: isMore } = pageInfo);
    }
    return found;
  },
  async refuse() {
    const { error } = await urql.mutation(chores.SEND, chores.input('  ')).toPromise();
    return error.graphQLErrors[0].extensions.code;
  },
  async position() {
    return (await urql.query(chores.POSITION, { id: conversation }).toPromise()).data.conversation.position;
  },
  follow(after, take, broken) {
    const { unsubscribe } = urql.subscription(chores.EVENTS, { id: conversation, after }).subscribe(({ data, error }) => {
      if (data) take(data);
      if (!error) return;
      if (mode === 'sdk') throw error;
      queueMicrotask(() => {
        unsubscribe();
        broken();
      });
    });
  },
});
