import "fake-indexeddb/auto";
import assert from "node:assert/strict";
import { test } from "node:test";
import { memoryStore, uuid7, type Outbox, type OutboxEntry, type OutboxStore } from "../src/index.js";
import { indexedDbStore } from "../src/indexeddb.js";
import { following, pass, scene, settle, type Scene } from "./scene.js";

const SEND = "mutation ($input: In!) { send(input: $input) { seq } }";
const DAY_MS = 86_400_000;

const say = (outbox: Outbox, text: string, lane = "cv:1"): Promise<any> =>
  outbox.send(SEND, (clientKey) => ({ input: { text, clientKey } }), { lane });
const sent = ({ asked }: Scene): string[] => asked.map(({ variables }) => variables.input.text);
const keys = ({ asked }: Scene): string[] => asked.map(({ variables }) => variables.input.clientKey);
const ok = (seq: number): object => ({ data: { send: { seq } } });
const refused = (code: string, more = {}): object => ({
  data: null,
  errors: [{ message: "", path: ["send"], extensions: { code, ...more } }],
});

test("a mutation is sent under one key until it is answered, and then forgotten", async (t) => {
  const here = scene(t);
  const store = memoryStore();
  const outbox = here.client.openOutbox({ account: "a", store });
  here.answers.push(
    new TypeError("offline"),
    refused("unavailable"),
    new Response("", { status: 503 }),
    ok(1),
  );
  const answer = say(outbox, "hello");
  await settle();
  assert.equal((await store.load("a")).length, 1);
  for (let n = 0; n < 3; n += 1) await pass(4_000);

  assert.deepEqual(await answer, { send: { seq: 1 } });
  assert.equal(new Set(keys(here)).size, 1);
  assert.equal(here.asked.length, 4);
  assert.match(keys(here)[0]!, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.deepEqual([outbox.entries.current, await store.load("a")], [[], []]);
});

test("who sends under a key that is on its way waits for the same answer, and nothing goes twice", async (t) => {
  const here = scene(t);
  const store = memoryStore();
  const send = (outbox: Outbox): Promise<any> =>
    outbox.send(SEND, (clientKey) => ({ input: { text: "x", clientKey } }), { clientKey: "k" });
  const first = here.client.openOutbox({ account: "a", store });
  const left = [send(first), send(first)].map((one) => assert.rejects(one, { code: "outbox.closed" }));
  await settle();
  first.close();
  await Promise.all(left);

  here.answers.push(ok(1), ok(1));
  const second = here.client.openOutbox({ account: "a", store });
  assert.deepEqual(await Promise.all([send(second), send(second)]), Array(2).fill({ send: { seq: 1 } }));
  assert.deepEqual(await send(second), { send: { seq: 1 } }, "answered before: the server knows the key");
  assert.equal(here.asked.length, 3);
});

test("a lane keeps its order while it waits, and others go on", async (t) => {
  const here = scene(t);
  const outbox = here.client.openOutbox({ account: "a", store: memoryStore() });
  here.answers.push(new TypeError("offline"), ok(1), ok(1), ok(2));
  const all = [say(outbox, "one"), say(outbox, "two"), say(outbox, "other", "cv:2")];
  await settle();
  assert.deepEqual(sent(here), ["one", "other"]);
  await pass(1_000);

  await Promise.all(all);
  assert.deepEqual(sent(here), ["one", "other", "one", "two"]);
});

test("what is refused is said at once and does not hold up the next", async (t) => {
  const here = scene(t);
  const outbox = here.client.openOutbox({ account: "a", store: memoryStore() });
  here.answers.push(refused("text.too_long", { max: 4000 }), ok(1));
  const [bad, good] = [say(outbox, "long"), say(outbox, "short")];

  await assert.rejects(bad, { code: "text.too_long", extensions: { max: 4000 } });
  assert.deepEqual(await good, { send: { seq: 1 } });
});

test("a limit is waited for as long as the server says", async (t) => {
  const here = scene(t);
  const outbox = here.client.openOutbox({ account: "a", store: memoryStore() });
  here.answers.push(refused("limited", { retryAfterS: 20 }), ok(1));
  const answer = say(outbox, "x");
  await settle();
  await pass(19_000);
  assert.equal(here.asked.length, 1);
  await pass(1_100);

  assert.deepEqual(await answer, { send: { seq: 1 } });
});

test("its number is bounded, and nothing was taken in that is refused", async (t) => {
  const here = scene(t);
  const outbox = here.client.openOutbox({ account: "a", store: memoryStore(), entriesMax: 2 });
  for (const text of ["1", "2"]) void say(outbox, text).catch(() => {});
  await settle();
  await assert.rejects(say(outbox, "3"), { code: "outbox.full", extensions: { max: 2 } });

  assert.equal(outbox.entries.current.length, 2);
});

test("what has waited for a day is given up, and is not sent later", async (t) => {
  const here = scene(t);
  const outbox = here.client.openOutbox({ account: "a", store: memoryStore() });
  here.answers.push(new TypeError("offline"));
  const answer = assert.rejects(say(outbox, "x"), { code: "outbox.too_old" });
  await settle();
  await pass(DAY_MS + 1);
  await answer;

  assert.equal(here.asked.length, 1);
});

test("a store that does not keep it is no outbox: the person is told", async (t) => {
  const here = scene(t);
  const store: OutboxStore = {
    ...memoryStore(),
    put: async () => {
      throw new Error("quota");
    },
  };
  await assert.rejects(say(here.client.openOutbox({ account: "a", store }), "x"), {
    code: "outbox.unstored",
  });

  assert.equal(here.asked.length, 0);
});

/** A store whose `put` waits for the test: `puts[n](true)` keeps the entry, `puts[n](false)` fails. */
function slowStore(): OutboxStore & { puts: ((isKept: boolean) => void)[] } {
  const store = memoryStore();
  const puts: ((isKept: boolean) => void)[] = [];
  const put = (entry: OutboxEntry): Promise<void> =>
    new Promise((done, failed) =>
      puts.push((isKept) => (isKept ? done(store.put(entry)) : failed(new Error("quota")))),
    );
  return { ...store, put, puts };
}

test("nothing is sent before it is stored, not by a lane that is under way either", async (t) => {
  const here = scene(t);
  const store = slowStore();
  const outbox = here.client.openOutbox({ account: "a", store });
  here.answers.push(new TypeError("offline"), ok(1), ok(3));
  const [one, two, three] = [say(outbox, "one"), say(outbox, "two"), say(outbox, "three")];
  await settle();
  store.puts[0]!(true);
  await settle();
  await pass(1_000);
  await one;
  store.puts[2]!(true);
  await settle();
  assert.deepEqual(sent(here), ["one", "one"], "the second is not stored, and the third comes after it");

  store.puts[1]!(false);
  await assert.rejects(two, { code: "outbox.unstored" });
  await three;
  assert.deepEqual(sent(here), ["one", "one", "three"]);
});

test("what is stored only after the outbox was cleared is removed again", async (t) => {
  const here = scene(t);
  const store = slowStore();
  const outbox = here.client.openOutbox({ account: "a", store });
  const answer = assert.rejects(say(outbox, "x"), { code: "outbox.cleared" });
  await settle();
  await outbox.clear();
  await answer;
  store.puts[0]!(true);
  await settle();

  assert.deepEqual([await store.load("a"), here.asked.length], [[], 0]);
});

for (const [isKept, code] of [
  [true, "outbox.closed"],
  [false, "outbox.unstored"],
] as const) {
  test(`closed while it is being stored: ${code}, as the store has it`, async (t) => {
    const here = scene(t);
    const store = slowStore();
    const outbox = here.client.openOutbox({ account: "a", store });
    const answer = assert.rejects(say(outbox, "x"), { code });
    await settle();
    outbox.close();
    store.puts[0]!(isKept);
    await answer;

    assert.equal((await store.load("a")).length, isKept ? 1 : 0);
    assert.equal(here.asked.length, 0);
  });
}

test("after a restart what is left is sent with its old key, in its order", async (t) => {
  const here = scene(t);
  const store = memoryStore();
  const first = here.client.openOutbox({ account: "a", store });
  for (const text of ["one", "two"]) void say(first, text).catch(() => {});
  await settle();
  first.close();
  const [key] = keys(here);

  here.answers.push(ok(1), ok(2));
  const ended: string[] = [];
  const second = here.client.openOutbox({ account: "a", store });
  second.settled((entry, outcome) =>
    ended.push(`${(entry.variables as any).input.text} ${JSON.stringify(outcome)}`),
  );
  await settle();

  assert.deepEqual(sent(here), ["one", "one", "two"]);
  assert.equal(keys(here)[1], key);
  assert.deepEqual(ended, [`one {"data":{"send":{"seq":1}}}`, `two {"data":{"send":{"seq":2}}}`]);
});

test("another account neither sees nor sends what somebody left", async (t) => {
  const here = scene(t);
  const store = memoryStore();
  void say(here.client.openOutbox({ account: "a", store }), "mine").catch(() => {});
  await settle();
  const other = here.client.openOutbox({ account: "b", store });
  await settle();
  await pass(60_000);

  assert.deepEqual(other.entries.current, []);
  assert.equal(here.asked.length, 1);
});

test("signing out clears it, here and in the store", async (t) => {
  const here = scene(t);
  const store = memoryStore();
  const outbox = here.client.openOutbox({ account: "a", store });
  const answer = assert.rejects(say(outbox, "x"), { code: "outbox.cleared" });
  await settle();
  here.answers.push({ data: { signOut: { endedCount: 1 } } });
  await here.client.signOut();
  await answer;

  assert.deepEqual(await store.load("a"), []);
  await assert.rejects(say(outbox, "late"), { code: "outbox.closed" });
  await pass(60_000);
  assert.equal(here.asked.length, 2);
});

test("who is signed out by the server loses nothing, and nobody else sends it", async (t) => {
  const here = scene(t);
  const store = memoryStore();
  here.answers.push(refused("access.unauthenticated"));
  await assert.rejects(say(here.client.openOutbox({ account: "a", store }), "x"), { code: "outbox.closed" });
  await pass(60_000);
  assert.equal(here.asked.length, 1);

  here.answers.push(ok(1));
  here.client.openOutbox({ account: "a", store });
  await settle();
  assert.equal(keys(here)[1], keys(here)[0]);
  assert.deepEqual(await store.load("a"), []);
});

for (const what of ["a session that is revoked", "another person who signs in"] as const) {
  test(`${what} stops what the person before has left`, async (t) => {
    const here = scene(t);
    const store = memoryStore();
    await following(here);
    here.answers.push(new TypeError("offline"));
    const answer = assert.rejects(say(here.client.openOutbox({ account: "a", store }), "x"), {
      code: "outbox.closed",
    });
    await settle();
    if (what === "a session that is revoked") await here.socket.drop(4403, "revoked");
    else {
      const session = { sessionId: "s", accessToken: null, refreshToken: null };
      here.answers.push({ data: { signIn: session } });
      await here.client.signIn({ identifier: "2", password: "p" });
    }
    await answer;
    await pass(60_000);

    assert.equal(here.asked.filter(({ query }) => query === SEND).length, 1);
    assert.equal((await store.load("a")).length, 1);
  });
}

test("when the network is back nothing waits any longer", async (t) => {
  const here = scene(t);
  const outbox = here.client.openOutbox({ account: "a", store: memoryStore() });
  for (let n = 0; n < 5; n += 1) here.answers.push(new TypeError("offline"));
  here.answers.push(ok(1));
  const answer = say(outbox, "x");
  await settle();
  for (let n = 0; n < 5; n += 1) {
    here.client.wake();
    await settle();
  }

  assert.deepEqual(await answer, { send: { seq: 1 } });
});

test("the browser's database keeps entries by account, in order", async () => {
  const store = indexedDbStore();
  const entry = (account: string, text: string, at: number): OutboxEntry => ({
    account,
    clientKey: uuid7(at),
    lane: "",
    document: { text },
    variables: { text },
    at,
  });
  const [late, early, other] = [entry("a", "2", 2_000), entry("a", "1", 1_000), entry("b", "3", 3_000)];
  for (const one of [late, early, other]) await store.put(one);

  assert.deepEqual(await indexedDbStore().load("a"), [early, late]);
  await store.remove("a", early.clientKey);
  assert.deepEqual(await store.load("a"), [late]);
  await store.clear("a");
  assert.deepEqual([await store.load("a"), await store.load("b")], [[], [other]]);
});
