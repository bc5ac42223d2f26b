// GraphiQL on our own endpoint: queries over HTTP, subscriptions over graphql-transport-ws.
import { createGraphiQLFetcher } from "@graphiql/toolkit";
import { GraphiQL } from "graphiql";
import "graphiql/graphiql.css";
import { createClient } from "graphql-ws";
import { createElement } from "react";
import { createRoot } from "react-dom/client";
import "./page.css";

const url = new URL("/graphql", location.href);
const socketUrl = new URL(url);
socketUrl.protocol = url.protocol === "https:" ? "wss:" : "ws:";

// What the headers tab holds when an operation starts also signs the socket in.
let headers = {};
const token = () => {
  const name = Object.keys(headers).find((key) => key.toLowerCase() === "authorization");
  return name ? headers[name].replace(/^Bearer\s+/i, "") : undefined;
};

let socket;
let socketToken;
const socketFetcher = (http) => (params, options) => {
  headers = options?.headers ?? {};
  if (socket && token() !== socketToken) {
    // Another person: what the old socket may see is not theirs.
    socket.dispose();
    socket = undefined;
  }
  return http(params, options);
};
const client = {
  subscribe: (payload, sink) => {
    if (!socket) {
      socketToken = token();
      const connectionParams = socketToken ? { token: socketToken } : {};
      socket = createClient({ url: socketUrl.href, lazy: true, connectionParams });
    }
    return socket.subscribe(payload, sink);
  },
};

const FIRST_QUERY = `# 职工之家 · Unionhall
# 1. Sign in (\`make demo\` prints names and passwords): the session comes as a cookie.
# 2. Ask who you are.  3. Follow what concerns you, live.
mutation SignIn {
  signIn(input: { identifier: "", password: "" }) {
    expiresAt
  }
}

query Viewer {
  viewer {
    kind
    capabilities
  }
}

subscription MyEvents {
  myEvents {
    kind
    at
  }
}
`;

createRoot(document.getElementById("ide")).render(
  createElement(GraphiQL, {
    fetcher: socketFetcher(createGraphiQLFetcher({ url: url.href, wsClient: client })),
    defaultQuery: FIRST_QUERY,
    defaultEditorToolsVisibility: "headers",
    // A token must not outlive the tab on a shared computer.
    shouldPersistHeaders: false,
  }),
);
