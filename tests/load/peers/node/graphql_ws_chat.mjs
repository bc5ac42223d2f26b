// A chat as one writes it with graphql-ws: its own handler, pg, a repeater a subscriber.
import { createPubSub } from "@graphql-yoga/subscription";

import { serve } from "./graphql_ws.mjs";
import { openPool } from "./rows.mjs";

const INSERT_SQL =
  "INSERT INTO peer_message (conversation, sender, body) VALUES ($1, $2, $3) RETURNING id, at";

const pool = await openPool();
const inboxes = createPubSub();

/** Keep it, hand it to the peer, answer its id. */
async function send({ to, conversation, sender, text }) {
  const values = [conversation, sender, text];
  // A statement with a name is prepared once a connection, as asyncpg does by itself.
  const { rows } = await pool.query({ name: "insert", text: INSERT_SQL, values });
  const id = Number(rows[0].id); // a bigint comes as text
  const message = { id, conversation, sender, body: text, at: rows[0].at.toISOString() };
  inboxes.publish(`inbox ${to}`, { messages: message });
  return id;
}

serve("chat", {
  query: { hello: "hello" },
  mutation: { send },
  subscription: { messages: ({ me }) => inboxes.subscribe(`inbox ${me}`) },
});
