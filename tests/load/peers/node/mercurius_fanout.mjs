// Subscriptions as one writes them with mercurius: its own handler and its own emitter.
import fastify from "fastify";
import mercurius from "mercurius";

import { listening } from "./control.mjs";
import { BACKLOG, HOST, PORT, sdl } from "./ground.mjs";
import { isMember } from "./members.mjs";

const app = fastify({ logger: false });
await app.register(mercurius, {
  schema: sdl("fanout"),
  resolvers: {
    Query: { hello: () => "hello" },
    Subscription: { event: { subscribe: (_root, _given, { pubsub }) => pubsub.subscribe("event") } },
  },
  subscription: {
    // The load client asks a question over its socket to know that its subscription is there.
    fullWsTransport: true,
    onConnect: ({ payload }) => isMember(payload?.token),
  },
});
await app.ready();

listening((event) => app.graphql.pubsub.publish({ topic: "event", payload: { event } }));
await app.listen({ host: HOST, port: PORT, backlog: BACKLOG });
