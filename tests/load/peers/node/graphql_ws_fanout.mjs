// Subscriptions as one writes them with graphql-ws: its own handler, a repeater a subscriber.
import { createPubSub } from "@graphql-yoga/subscription";

import { listening } from "./control.mjs";
import { serve } from "./graphql_ws.mjs";
import { isMember } from "./members.mjs";

const events = createPubSub();

listening((event) => events.publish("event", { event }));
serve(
  "fanout",
  {
    query: { hello: "hello" },
    subscription: { event: () => events.subscribe("event") },
  },
  { onConnect: (context) => isMember(context.connectionParams?.token) },
);
