// What Relay's chores ask. relay-compiler reads this file and writes __generated__/; nothing runs it.
// docs/conformance.md says how to compile anew; the test compares these texts with what was compiled.
import { graphql } from 'relay-runtime';

// A page forwards, at the root: refetched as a query of its own.
graphql`
  query choresUnionsQuery($count: Int!, $cursor: String) {
    ...chores_unions @arguments(count: $count, cursor: $cursor)
  }
`;
graphql`
  fragment chores_unions on Query
  @argumentDefinitions(count: { type: "Int!" }, cursor: { type: "String" })
  @refetchable(queryName: "choresUnionsPageQuery") {
    unions(level: ZONE, first: $count, after: $cursor) @connection(key: "chores_unions", filters: ["level"]) {
      edges { node { id name } }
    }
  }
`;

// A page backwards, in a node: refetched through node(id:).
graphql`
  query choresTalkQuery($id: ID!, $count: Int!) {
    conversation(id: $id) {
      id
      position
      ...chores_messages @arguments(count: $count)
    }
  }
`;
graphql`
  fragment chores_messages on Conversation
  @argumentDefinitions(count: { type: "Int!" }, cursor: { type: "String" })
  @refetchable(queryName: "choresMessagesPageQuery") {
    topSeq
    messages(last: $count, before: $cursor) @connection(key: "chores_messages") {
      edges { node { id seq text } }
    }
  }
`;

graphql`
  mutation choresSendMutation($input: SendMessageInput!, $connections: [ID!]!) {
    sendMessage(input: $input) {
      message @appendNode(connections: $connections, edgeTypeName: "MessageEdge") { id seq text }
    }
  }
`;

graphql`
  subscription choresEventsSubscription($id: ID!, $after: String) {
    conversationEvents(conversationId: $id, after: $after) {
      __typename
      ... on MessageSent { cursor message { id seq text } }
      ... on MarksAdvanced { cursor }
    }
  }
`;
