import assert from "node:assert/strict";
import { test } from "node:test";
import { connect, trusted } from "../src/index.js";
import { SPREAD_MAX_MS, spreadMs } from "../src/waiting.js";
import { EVENTS, FakeSocket, following, pass, scene, settle } from "./scene.js";

const POSITION = "cv:1:ep:10";

test("a subscription begins after its position and comes back after the last applied event", async (t) => {
  const here = scene(t);
  const { heard, position } = await following(here, { position: POSITION });
  assert.deepEqual(here.socket.since, { "cv:1": ["ep", 10] });

  await here.socket.event(11);
  await here.socket.event(12);
  await here.socket.drop();
  await pass(1_000);
  await here.socket.open();

  assert.deepEqual(here.socket.since, { "cv:1": ["ep", 12] });
  await here.socket.event(13);
  assert.deepEqual(heard, [11, 12, 13]);
  assert.equal(position(), "cv:1:ep:13");
});

test("without a position nothing is claimed, so that the argument `after` counts", async (t) => {
  const here = scene(t);
  await following(here);
  assert.equal(here.socket.asked[0]?.payload.extensions.rt, undefined);

  await here.socket.live(40);
  await here.socket.drop();
  await pass(1_000);
  await here.socket.open();
  assert.deepEqual(here.socket.since, { "cv:1": ["ep", 40] });
});

test("the argument `after` of several streams is where each of them resumes", async (t) => {
  const here = scene(t);
  here.client.follow(EVENTS, { id: "1", after: "ou:a:ep:3,ou:b:ep:7" }, { next: () => {} });
  await settle();
  await here.socket.open();
  await here.socket.event(4, { s: "ou:a" });
  await here.socket.drop();
  await pass(1_000);
  await here.socket.open();

  assert.deepEqual(here.socket.since, { "ou:a": ["ep", 4], "ou:b": ["ep", 7] });
});

test("what is known is dropped, and a gap is asked for again from the same place", async (t) => {
  const here = scene(t);
  const { heard } = await following(here, { position: POSITION });
  await here.socket.event(10);
  await here.socket.event(11);
  await here.socket.event(13);

  assert.deepEqual(heard, [11]);
  assert.equal(here.socket.asked.length, 2);
  assert.deepEqual(here.socket.since, { "cv:1": ["ep", 11] });
  await here.socket.event(12);
  await here.socket.event(13);
  assert.deepEqual(heard, [11, 12, 13]);
});

test("a server whose events never follow each other is given up", async (t) => {
  const here = scene(t);
  const { heard, errors } = await following(here, { position: POSITION });
  for (let n = 0; n < 6; n += 1) await here.socket.event(20);

  assert.deepEqual([heard, errors], [[], ["connection.gap"]]);
});

test("events that are not for us are no gap", async (t) => {
  const here = scene(t);
  const { heard } = await following(here, { position: POSITION });
  await here.socket.event(15, { p: 10 });
  await here.socket.live(18);
  await here.socket.event(20, { p: 18 });

  assert.deepEqual(heard, [15, 20]);
  assert.equal(here.socket.asked.length, 1);
});

test("a stream that had no event yet begins with its first", async (t) => {
  const here = scene(t);
  const { heard } = await following(here, { position: "cv:1::0" });
  await here.socket.event(1);

  assert.deepEqual(heard, [1]);
});

test("typing and presence are passed on and move nothing", async (t) => {
  const here = scene(t);
  const { heard, position } = await following(here, { position: POSITION });
  const whisper = { data: { n: -1 }, extensions: { rt: { s: "cv:1", x: 1 } } };
  await here.socket.say({ type: "next", id: here.socket.asked[0]!.id!, payload: whisper });

  assert.deepEqual([heard, position()], [[-1], POSITION]);
});

test("an event that could not be applied is not taken for applied", async (t) => {
  const here = scene(t);
  const told: unknown[] = [];
  (globalThis as any).reportError = (error: unknown) => told.push(error);
  t.after(() => delete (globalThis as any).reportError);
  const broken = new Error("disk full");
  const { errors, position } = await following(here, {
    position: POSITION,
    next: () => {
      throw broken;
    },
  });
  await here.socket.event(11);

  assert.deepEqual([errors, position(), told], [["connection.not_applied"], POSITION, [broken]]);
});

for (const code of ["RT_UNRECOVERABLE", "RT_LAGGED"]) {
  test(`${code}: a snapshot is read, and the subscription goes on from its position`, async (t) => {
    const here = scene(t);
    let snapshots = 0;
    const snapshot = async (): Promise<string> => `cv:1:new:${(snapshots += 1) * 100}`;
    const { heard, errors } = await following(here, { position: POSITION, snapshot });
    await here.socket.fail(code);
    if (code === "RT_UNRECOVERABLE") await pass(SPREAD_MAX_MS);

    assert.equal(snapshots, 1);
    assert.deepEqual(here.socket.since, { "cv:1": ["new", 100] });
    await here.socket.event(101, { e: "new" });
    assert.deepEqual([heard, errors], [[101], []]);
  });
}

test("those whose place is lost at the same instant read anew at moments of their own, within a bound", async (t) => {
  const here = scene(t);
  let snapshots = 0;
  const snapshot = async (): Promise<string> => `cv:1:new:${(snapshots += 1) * 100}`;
  await following(here, { position: POSITION, snapshot });
  t.mock.method(Math, "random", () => 0.6);
  await here.socket.fail("RT_UNRECOVERABLE");

  await pass(0.6 * SPREAD_MAX_MS - 1);
  assert.equal(snapshots, 0);
  await pass(1);
  assert.equal(snapshots, 1);
  assert.deepEqual([spreadMs(900, () => 0), spreadMs(900, () => 0.5)], [0, 450]);
});

test("without a snapshot to read, a place that is lost ends the subscription", async (t) => {
  const here = scene(t);
  const { errors } = await following(here, { position: POSITION });
  await here.socket.fail("RT_UNRECOVERABLE");

  assert.deepEqual(errors, ["RT_UNRECOVERABLE"]);
  assert.equal(here.client.connection.current.is, "idle");
});

test("a snapshot comes first when no position is known, and again when the network failed it", async (t) => {
  const here = scene(t);
  let tries = 0;
  const snapshot = async (): Promise<string> => {
    tries += 1;
    if (tries === 1) return here.client.query("{ page }").then(() => "");
    return POSITION;
  };
  here.answers.push(new TypeError("fetch failed"));
  await following(here, { snapshot });
  assert.equal(FakeSocket.all.length, 0);
  await pass(1_000);
  await here.socket.open();

  assert.equal(tries, 2);
  assert.deepEqual(here.socket.since, { "cv:1": ["ep", 10] });
});

test("a right that is gone: forget first, then the end; nothing is tried again", async (t) => {
  const here = scene(t);
  const told: string[] = [];
  await following(here, {
    position: POSITION,
    forget: () => told.push("forget"),
    error: () => told.push("error"),
  });
  await here.socket.fail("RT_FORBIDDEN");
  await pass(60_000);

  assert.deepEqual(told, ["forget", "error"]);
  assert.equal(FakeSocket.all.length, 1);
  assert.equal(here.socket.asked.length, 1);
});

test("a limit is waited for as long as the server says", async (t) => {
  const here = scene(t);
  const { errors } = await following(here, { position: POSITION });
  await here.socket.fail("RT_LIMIT", { retryAfterS: 7 });
  await following(here); // keeps the socket
  assert.equal(here.socket.asked.length, 2);
  await pass(6_900);
  assert.equal(here.socket.asked.length, 2);
  await pass(200);

  assert.equal(here.socket.asked.length, 3);
  assert.deepEqual(errors, []);
});

test("a fault of the server's is tried five times more, then told", async (t) => {
  const here = scene(t);
  const { errors } = await following(here, { position: POSITION });
  for (let n = 0; n < 5; n += 1) {
    await here.socket.fail("RT_INTERNAL");
    assert.deepEqual(errors, []);
    await pass(16_000);
    if (here.socket.readyState !== FakeSocket.OPEN) await here.socket.open(); // it was not used for long
  }
  await here.socket.fail("RT_INTERNAL");

  assert.deepEqual(errors, ["RT_INTERNAL"]);
});

test("variables that are no JSON end their own subscription only", async (t) => {
  const here = scene(t);
  const told: unknown[] = [];
  (globalThis as any).reportError = (error: unknown) => told.push(error);
  t.after(() => delete (globalThis as any).reportError);
  const { errors } = await following(here);
  const wrong: string[] = [];
  here.client.follow(EVENTS, { id: 1n }, { next: () => {}, error: ({ code }) => void wrong.push(code) });
  await settle();

  assert.deepEqual([wrong, errors, told.length], [["connection.not_sent"], [], 1]);
  assert.equal(here.socket.readyState, FakeSocket.OPEN);
});

test("the same document has the same id in every client, and no id is used twice on a socket", async (t) => {
  const here = scene(t);
  const first = await following(here);
  first.stop();
  await following(here);
  const [one, two] = here.socket.asked.map(({ id }) => id!);
  const other = connect({ url: "https://union.example/graphql", webSocket: FakeSocket });
  other.follow(EVENTS, { id: "2" }, { next: () => {} });
  await settle();
  await here.socket.open();

  assert.equal(here.socket.asked[0]!.id, one);
  assert.equal(two, `${one}.2`);
  assert.match(one!, /^[a-z0-9]{7}$/);
  other.dispose();
  await settle();
});

test("a trusted document goes as its hash, and as text where the server does not know it", async (t) => {
  const here = scene(t, { trustedDocuments: true });
  const sha256 = "a".repeat(64);
  here.client.follow(
    trusted<{ n: number }, { id: string }>(EVENTS, sha256),
    { id: "1" },
    { next: () => {}, position: POSITION },
  );
  await settle();
  await here.socket.open();
  const { query, extensions } = here.socket.asked[0]!.payload;
  assert.deepEqual(
    [query, extensions],
    ["", { persistedQuery: { version: 1, sha256Hash: sha256 }, rt: { since: { "cv:1": ["ep", 10] } } }],
  );

  await here.socket.fail("PERSISTED_QUERY_NOT_FOUND");
  assert.equal(here.socket.asked[1]!.payload.query, EVENTS);
});

test("the server's last word ends the subscription; ours is sent", async (t) => {
  const here = scene(t);
  let completed = 0;
  await following(here, { position: POSITION, complete: () => void (completed += 1) });
  const two = await following(here);
  await here.socket.say({ type: "complete", id: here.socket.asked[0]!.id! });
  two.stop();
  await settle();

  assert.equal(completed, 1);
  assert.deepEqual(here.socket.sent.at(-1), { type: "complete", id: here.socket.asked[1]!.id });
});
