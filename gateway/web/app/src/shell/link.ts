import { reactive } from "vue";
import { connect, type ConnectionState, cookie, memoryStore, type Outbox, type OutboxStore } from "@unionhall/sdk";
import { indexedDbStore } from "@unionhall/sdk/indexeddb";
import { isAttended } from "./attending";

const OUTBOX = "unionhall-outbox";
const ANSWER_MS_MAX = 15_000; // a phone in a tunnel: say so rather than wait

const BACKOFF = { firstMs: 500, maxMs: 10_000 }; // somebody is looking at the screen meanwhile

/** The one client of this page. Its session is a cookie that no script can read. */
export const client = connect({
  ...{ url: "/graphql", auth: cookie({ isAttended }), trustedDocuments: true },
  ...{ timeoutMs: ANSWER_MS_MAX, backoff: BACKOFF },
});

/** The live connection as pages see it. */
export const connection = reactive<{ state: ConnectionState["is"] }>({ state: "idle" });
client.connection.watch((state) => (connection.state = state.is));

let outbox: Outbox | null = null;

/** What this person has written and the server has not answered yet; kept over restarts. */
export function openOutbox(account: string): void {
  outbox ??= client.openOutbox({ account, store: forgivingStore() });
}

/** Kept in the browser; as long as the page lives where that is refused, as in some private windows. */
function forgivingStore(): OutboxStore {
  const memory = memoryStore();
  if (typeof indexedDB === "undefined") return memory;
  const kept = indexedDbStore(OUTBOX);
  return {
    load: (account) => kept.load(account).catch(() => []),
    put: (entry) => kept.put(entry).catch(() => memory.put(entry)),
    remove: async (account, clientKey) => {
      await memory.remove(account, clientKey);
      await kept.remove(account, clientKey).catch(() => {});
    },
    clear: async (account) => {
      await memory.clear(account);
      await kept.clear(account).catch(() => {});
    },
  };
}

export function theOutbox(): Outbox {
  if (!outbox) throw new Error("nobody is signed in");
  return outbox;
}

/** Close everything, and leave nothing of it in the browser. */
export async function closeForGood(): Promise<void> {
  client.dispose();
  await outbox?.clear().catch(() => {});
  if (typeof indexedDB !== "undefined") indexedDB.deleteDatabase(OUTBOX);
}
