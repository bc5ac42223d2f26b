// Apollo Client does the chores. usage: node apollo.mjs stock|sdk HTTP_URL WS_URL TOKEN OTHER_TOKEN CONVERSATION_ID
// stock: its documented links, HttpLink and GraphQLWsLink; sdk: our link in their place.
import { ApolloClient, ApolloLink, CombinedGraphQLErrors, gql, HttpLink, InMemoryCache } from '@apollo/client';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { relayStylePagination } from '@apollo/client/utilities';
import { OperationTypeNode } from 'graphql';
import { createClient } from 'graphql-ws';
import { unionhallLink } from '../../gateway/web/sdk/dist/apollo.js';
import { connect, token as bearerToken } from '../../gateway/web/sdk/dist/index.js';
import * as chores from './chores.mjs';

const { http, socket, token, headers, conversation, mode } = chores;

function stock() {
  const ws = createClient({ url: socket, webSocketImpl: chores.Cuttable, connectionParams: { token }, retryAttempts: 0 });
  return ApolloLink.split(
    ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION,
    new GraphQLWsLink(ws),
    new HttpLink({ uri: http, headers }),
  );
}

function sdk() {
  const backoff = { firstMs: 20, maxMs: 100 };
  return unionhallLink(connect({ url: http, auth: bearerToken(() => token), webSocket: chores.Cuttable, backoff }));
}

const apollo = new ApolloClient({
  link: mode === 'sdk' ? sdk() : stock(),
  cache: new InMemoryCache({ typePolicies: { Query: { fields: { unions: relayStylePagination(['level']) } } } }),
});

await chores.doChores({
  async names() {
    const watched = apollo.watchQuery({ query: gql(chores.UNIONS), variables: {} });
    const following = watched.subscribe(() => {});
    const shown = () => watched.getCurrentResult().data?.unions;
    await chores.until(shown);
    let { edges: { length }, pageInfo } = shown();
    while (pageInfo.hasNextPage) {
      const { data: { unions } } = await watched.fetchMore({ variables: { after: pageInfo.endCursor } });
      length += unions.edges.length;
      ({ pageInfo } = unions);
    }
    await chores.until(() => shown().edges.length === length);
    following.unsubscribe();
    return shown().edges.map(({ node }) => node.name); // the cache has put the pages together
  },
  async refuse() {
    const error = await apollo.mutate({ mutation: gql(chores.SEND), variables: chores.input('  ') }).catch((why) => why);
    if (!CombinedGraphQLErrors.is(error)) throw error;
    return error.errors[0].extensions.code;
  },
  async position() {
    const query = gql(chores.POSITION);
    return (await apollo.query({ query, variables: { id: conversation } })).data.conversation.position;
  },
  follow(after, take, broken) {
    const following = apollo.subscribe({ query: gql(chores.EVENTS), variables: { id: conversation, after } }).subscribe(
      ({ data, error }) => {
        if (data) take(data);
        if (!error) return;
        if (mode === 'sdk') throw error;
        queueMicrotask(() => {
          following.unsubscribe();
          broken();
        });
      },
    );
  },
});
