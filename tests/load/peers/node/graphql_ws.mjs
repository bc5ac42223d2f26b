// A schema served by graphql-ws on ws, as its own pages say: the stock handler, nothing cached.
import { buildSchema } from "graphql";
import { useServer } from "graphql-ws/use/ws";
import { WebSocketServer } from "ws";

import { BACKLOG, HOST, PORT, sdl } from "./ground.mjs";

/** Serve the schema of this name; `roots` has a function a field, `options` are graphql-ws's. */
export function serve(name, roots, options = {}) {
  const server = new WebSocketServer({
    host: HOST,
    port: PORT,
    backlog: BACKLOG,
    path: "/graphql",
  });
  useServer({ schema: buildSchema(sdl(name)), roots, ...options }, server);
}
