import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { test, type TestContext } from "node:test";
import * as own from "../src/own.js";
import { bearer, memoryStore, trusted, type KeptSession, UnionhallError } from "../src/index.js";
import { FakeSocket, following, pass, scene, settle, type Scene } from "./scene.js";

const NOW = 1_700_000_000_000;
const LIFE_MS = 600_000;
const VIEWER = "{ viewer { kind } }";

function session(n: number, at = NOW): object {
  return {
    ...{ sessionId: "s", accessToken: `access${n}`, refreshToken: `refresh${n}` },
    ...{
      accessTokenExpiresAt: new Date(at + LIFE_MS).toISOString(),
      expiresAt: new Date(at + 30 * LIFE_MS).toISOString(),
    },
  };
}

function app(
  t: TestContext,
  lifeMs = LIFE_MS,
  more: { isAttended?: () => boolean } = {},
): Scene & { saved: (KeptSession | null)[] } {
  const saved: (KeptSession | null)[] = [];
  const kept = {
    device: "phone",
    accessToken: "access1",
    accessTokenExpiresAt: NOW + lifeMs,
    refreshToken: "refresh1",
  };
  const store = { load: async () => kept, save: async (one: KeptSession | null) => void saved.push(one) };
  return Object.assign(scene(t, { auth: bearer({ store, ...more }) }), { saved });
}

const refreshes = ({ asked }: Scene): unknown[] =>
  asked.filter(({ query }) => query.includes("refreshSession")).map(({ variables }) => variables.input);

/** Time passes on an open socket. */
async function beats(here: Scene, count: number): Promise<void> {
  for (let n = 0; n < count; n += 1) {
    await pass(25_000);
    await here.socket.say({ type: "ping" });
  }
}

test("signing in as an app keeps tokens and the device's secret, and uses them", async (t) => {
  const saved: (KeptSession | null)[] = [];
  const here = scene(t, {
    auth: bearer({ store: { load: async () => null, save: async (one) => void saved.push(one) } }),
  });
  here.answers.push({ data: { signIn: session(1) } }, { data: { viewer: null } });
  const { sessionId } = await here.client.signIn({ identifier: "1", password: "p" });
  await here.client.query(VIEWER);

  assert.equal(sessionId, "s");
  const { device, heldAs } = here.asked[0]!.variables.input;
  assert.match(device, /^[0-9a-f]{64}$/);
  assert.equal(heldAs, "APP");
  assert.deepEqual(saved, [
    { device, accessToken: "access1", accessTokenExpiresAt: NOW + LIFE_MS, refreshToken: "refresh1" },
  ]);
  assert.equal(here.asked[1]!.headers["authorization"], "Bearer access1");
});

test("a browser signs in for a cookie: no token, no device, nothing kept", async (t) => {
  const here = scene(t);
  here.answers.push({ data: { signIn: { ...session(1), accessToken: null, refreshToken: null } } });
  await here.client.signIn({ identifier: "1", password: "p" });

  assert.deepEqual(here.asked[0]!.variables.input, { identifier: "1", password: "p", heldAs: "BROWSER" });
  assert.equal(here.asked[0]!.headers["authorization"], undefined);
});

test("a keychain that fails once is asked again: by a call, by the socket, by signing in", async (t) => {
  let isLocked = true;
  const load = async (): Promise<KeptSession> => {
    if (isLocked) throw new Error("locked");
    return {
      ...{ device: "phone", accessToken: "access1", refreshToken: "refresh1" },
      accessTokenExpiresAt: NOW + LIFE_MS,
    };
  };
  const here = scene(t, { auth: bearer({ store: { load, save: async () => {} } }) });
  await assert.rejects(here.client.query(VIEWER), { message: "locked" });
  await following(here);
  assert.ok(here.socket.closedWith, "no token to be had: the socket is given up");
  isLocked = false;
  here.answers.push({ data: { viewer: null } }, { data: { signIn: session(2) } });
  await here.client.execute(VIEWER);
  await pass(1_000);
  await here.socket.open();
  await here.client.signIn({ identifier: "1", password: "p" });

  assert.equal(here.asked[0]!.headers["authorization"], "Bearer access1");
  assert.deepEqual(here.socket.sent[0]!.payload, { token: "access1" });
  assert.equal(here.asked[1]!.variables.input.device, "phone");
});

test("a token near its end is exchanged first, once for all who ask", async (t) => {
  const here = app(t, 30_000);
  here.answers.push(
    { data: { refreshSession: session(2) } },
    ...[1, 2, 3].map(() => ({ data: { viewer: null } })),
  );
  await Promise.all([1, 2, 3].map(() => here.client.query(VIEWER)));

  assert.deepEqual(refreshes(here), [{ refreshToken: "refresh1", device: "phone" }]);
  assert.deepEqual(
    here.asked.slice(1).map(({ headers }) => headers["authorization"]),
    Array(3).fill("Bearer access2"),
  );
});

test("a token that is still good is used while the exchange fails", async (t) => {
  const here = app(t, 30_000);
  here.answers.push(new TypeError("offline"), new TypeError("offline"), { data: { viewer: null } });
  await here.client.query(VIEWER);

  assert.equal(here.asked.at(-1)!.headers["authorization"], "Bearer access1");
});

test("an exchange whose answer was lost is repeated at once with the same token and device", async (t) => {
  const here = app(t, -1);
  here.answers.push(
    new TypeError("connection reset"),
    { data: { refreshSession: session(2) } },
    { data: { viewer: null } },
  );
  await here.client.query(VIEWER);

  assert.deepEqual(refreshes(here), Array(2).fill({ refreshToken: "refresh1", device: "phone" }));
});

test("while a socket is open the session is refreshed before its end", async (t) => {
  const here = app(t);
  await following(here);
  here.answers.push({ data: { refreshSession: session(2, NOW + 500_000) } });
  await beats(here, 19);
  assert.equal(refreshes(here).length, 0);
  await beats(here, 3);

  assert.equal(refreshes(here).length, 1);
  assert.equal(here.saved.at(-1)?.accessToken, "access2");
});

test("subscriptions that come and go by the second do not put a refresh off", async (t) => {
  const here = app(t, 100_000);
  await following(here, { position: "cv:1:ep:10" });
  await here.socket.live(10);
  here.answers.push({ data: { refreshSession: session(2) } });
  for (let n = 0; n < 50; n += 1) {
    here.client.follow("subscription { b }", {}, { next: () => {}, position: "cv:2:ep:1" }).stop();
    await here.socket.say({ type: "ping" });
    await pass(900);
  }

  assert.equal(refreshes(here).length, 1);
});

test("who comes back before the token's end has it refreshed", async (t) => {
  let isThere = false;
  const here = app(t, LIFE_MS, { isAttended: () => isThere });
  await following(here);
  await beats(here, 22);
  assert.equal(refreshes(here).length, 0);
  isThere = true;
  here.answers.push({ data: { refreshSession: session(2, NOW + LIFE_MS) } });
  await beats(here, 1);

  assert.equal(refreshes(here).length, 1);
});

test("nobody there: an open socket does not keep the session alive", async (t) => {
  const here = app(t, LIFE_MS, { isAttended: () => false });
  await following(here);
  await pass(LIFE_MS);

  assert.equal(refreshes(here).length, 0);
});

test("a call that says unauthenticated is repeated once with a new token", async (t) => {
  const here = app(t);
  const nobody = { errors: [{ message: "", extensions: { code: "access.unauthenticated" } }], data: null };
  here.answers.push(nobody, { data: { refreshSession: session(2) } }, nobody);
  await assert.rejects(here.client.query(VIEWER), { code: "access.unauthenticated" });

  assert.deepEqual(
    here.asked.map(({ headers }) => headers["authorization"]),
    ["Bearer access1", undefined, "Bearer access2"],
  );
});

test("a session that is over: nothing is kept, subscriptions end", async (t) => {
  const here = app(t);
  const { errors } = await following(here);
  const over = { errors: [{ message: "", extensions: { code: "access.session_over" } }], data: null };
  here.answers.push({ errors: [{ message: "", extensions: { code: "access.unauthenticated" } }] }, over);
  await assert.rejects(here.client.query(VIEWER), { code: "access.session_over" });

  assert.deepEqual(here.saved, [null]);
  assert.deepEqual(errors, ["connection.ended"]);
  assert.deepEqual(here.client.connection.current, { is: "ended", reason: "expired" });
});

test("signing out forgets everything here, even when the server cannot be told", async (t) => {
  const here = app(t);
  const { errors } = await following(here);
  here.answers.push(new TypeError("offline"));
  await assert.rejects(here.client.signOut(), { code: "network.unreachable" });
  await settle();

  assert.deepEqual(here.saved, [null]);
  assert.deepEqual(errors, ["connection.ended"]);
  assert.equal(here.socket.closedWith, 1000);
  assert.equal(here.asked[0]!.headers["authorization"], "Bearer access1");
});

for (const [what, lifeMs, isExchanging, token] of [
  ["near its end", 30_000, false, "access1"],
  ["over", -1, false, "access2"],
  ["being exchanged", 30_000, true, "access2"],
] as const) {
  test(`a token that is ${what}: signing out forgets before it asks for another, and tells the server`, async (t) => {
    const here = app(t, lifeMs);
    const store = memoryStore();
    let answer!: (session: object) => void;
    if (token === "access2") here.answers.push(new Promise<object>((done) => (answer = done)));
    if (isExchanging) {
      const entry = { account: "a", clientKey: "k", lane: "", document: { text: "" }, variables: {}, at: NOW };
      await store.put(entry);
      here.client.openOutbox({ account: "a", store });
    }
    here.answers.push({ data: { signOut: { endedCount: 1 } } });
    await settle();
    const leaving = here.client.signOut();
    await settle();

    assert.deepEqual([here.saved, await store.load("a")], [[null], []]);
    assert.deepEqual(here.client.connection.current, { is: "ended", reason: "signed-out" });

    answer?.({ data: { refreshSession: session(2) } });
    await settle();
    await leaving;
    assert.deepEqual(here.saved, [null], "nobody is signed in again by an answer that comes late");
    const [told] = here.asked.filter(({ query }) => query.includes("signOut"));
    assert.equal(told!.headers["authorization"], `Bearer ${token}`);
  });
}

test("a keychain that forgets nothing keeps nobody from telling the server", async (t) => {
  const kept = {
    ...{ device: "phone", accessToken: "access1", refreshToken: "refresh1" },
    accessTokenExpiresAt: NOW + LIFE_MS,
  };
  const save = async (): Promise<void> => {
    throw new Error("locked");
  };
  const here = scene(t, { auth: bearer({ store: { load: async () => kept, save } }) });
  here.answers.push({ data: { signOut: { endedCount: 1 } } });
  await assert.rejects(here.client.signOut(), { message: "locked" });

  assert.equal(here.asked[0]!.headers["authorization"], "Bearer access1");
});

test("whoever signs in next gets a socket of their own", async (t) => {
  const here = app(t);
  await following(here);
  const before = here.socket;
  here.answers.push({ data: { signIn: session(7) } });
  await here.client.signIn({ identifier: "2", password: "p" });
  await following(here);

  assert.equal(before.readyState, FakeSocket.CLOSED);
  assert.deepEqual(here.socket.sent[0]!.payload, { token: "access7" });
});

test("nothing personal stands in a URL, and a refusal keeps its code and parameters only", async (t) => {
  const here = scene(t);
  here.answers.push({
    errors: [
      {
        message: "text 我的身份证 is bad",
        path: ["a"],
        extensions: { code: "text.too_long", max: 5, field: "text" },
      },
    ],
  });
  const error = await here.client
    .mutate("mutation ($t: String!) { a(t: $t) }", { t: "我的身份证" })
    .catch((one: UnionhallError) => one);

  assert.ok(error instanceof UnionhallError);
  assert.deepEqual(
    [error.code, error.extensions, error.path],
    ["text.too_long", { max: 5, field: "text" }, ["a"]],
  );
  assert.ok(!String(error.stack).includes("身份证"));
  assert.equal(here.asked[0]!.url, "https://union.example/graphql");
});

for (const [what, answer, code] of [
  ["no network", new TypeError("fetch failed"), "network.unreachable"],
  ["a proxy's page", new Response("<html>", { status: 502 }), "network.bad_answer"],
] as const) {
  test(`${what} is ${code}, and may pass`, async (t) => {
    const here = scene(t);
    here.answers.push(answer);
    const error = (await here.client.query(VIEWER).catch((one: unknown) => one)) as UnionhallError;
    assert.deepEqual([error.code, error.isPassing], [code, true]);
  });
}

test("an answer is not waited for longer than said, and the caller may stop before", async (t) => {
  const here = scene(t, { timeoutMs: 5_000 });
  const slow = assert.rejects(here.client.query(VIEWER), { code: "network.timeout" });
  await settle();
  await pass(5_000);
  await slow;

  const stop = new AbortController();
  const stopped = assert.rejects(here.client.query(VIEWER, {}, { signal: stop.signal }), {
    code: "network.aborted",
  });
  await settle();
  stop.abort();
  await stopped;
});

test("errors of single fields stand beside the data, and a committed mutation is no refusal", async (t) => {
  const here = scene(t);
  const errors = [{ message: "", path: ["send", "list"], extensions: { code: "forbidden" } }];
  const answer = { data: { send: { id: 1, list: null } }, errors };
  here.answers.push(answer, answer, answer);

  assert.deepEqual(await here.client.execute("mutation { send { id list } }"), answer);
  assert.deepEqual(await here.client.mutate("mutation { send { id list } }"), answer.data);
  await assert.rejects(here.client.query("{ send { id list } }"), { code: "forbidden" });
});

test("calls of one unknown document at the same time are each sent again as text", async (t) => {
  const here = scene(t, { trustedDocuments: true });
  const document = trusted<{ n: number }, {}>("{ n }", "a".repeat(64));
  const unknown = {
    errors: [{ message: "PersistedQueryNotFound", extensions: { code: "PERSISTED_QUERY_NOT_FOUND" } }],
  };
  here.answers.push(unknown, unknown, { data: { n: 1 } }, { data: { n: 1 } });

  const answers = await Promise.all([here.client.query(document), here.client.query(document)]);
  assert.deepEqual(answers, [{ n: 1 }, { n: 1 }]);
  assert.deepEqual(
    here.asked.map(({ query }) => query),
    ["", "", "{ n }", "{ n }"],
  );
});

test("what this module sends by itself is what is registered with the server", () => {
  const texts = Object.values(own).map((text) => [createHash("sha256").update(text).digest("hex"), text]);
  const file = new URL("../../persisted-documents.json", import.meta.url); // from dist/tests
  assert.deepEqual(JSON.parse(readFileSync(file, "utf8")), Object.fromEntries(texts));
});
