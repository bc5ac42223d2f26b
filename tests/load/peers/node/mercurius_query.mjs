// A query as one writes it with mercurius for speed: operations compiled, pg, a loader.
import fastify from "fastify";
import mercurius from "mercurius";

import { BACKLOG, HOST, PORT, sdl } from "./ground.mjs";
import { openPool } from "./rows.mjs";

// Statements with names are prepared once a connection, as asyncpg does by itself.
const PAGE_SQL = "SELECT id, name, union_id FROM peer_member WHERE id > $1 ORDER BY id LIMIT $2";
const UNIONS_SQL = "SELECT id, name FROM peer_union WHERE id = ANY($1)";

const pool = await openPool();

/** A page of members by id. */
async function members(_root, { first, after }) {
  const values = [Number(after ?? 0), first + 1];
  const { rows } = await pool.query({ name: "page", text: PAGE_SQL, values });
  const page = rows.slice(0, first);
  return {
    edges: page.map((node) => ({ node })),
    pageInfo: {
      hasNextPage: rows.length > first,
      endCursor: page.length ? String(page.at(-1).id) : null,
    },
  };
}

/** The unions of all members of a request, in the order asked. */
async function union(asked) {
  const ids = [...new Set(asked.map(({ obj }) => obj.union_id))];
  const { rows } = await pool.query({ name: "unions", text: UNIONS_SQL, values: [ids] });
  const found = new Map(rows.map((row) => [row.id, row]));
  return asked.map(({ obj }) => found.get(obj.union_id));
}

const app = fastify({ logger: false });
await app.register(mercurius, {
  schema: sdl("query"),
  resolvers: { Query: { members } },
  // Asked for in one batch all the same; what is left out is a key made of each member as JSON.
  loaders: { Member: { union: { loader: union, opts: { cache: false } } } },
  jit: 1, // compiled at the first request
});
await app.listen({ host: HOST, port: PORT, backlog: BACKLOG });
