/** With nobody there, what the client does by itself says so, and a session that is over stays over. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { bearer, cookie, token, type KeptSession } from "../src/index.js";
import { EVENTS, FakeSocket, following, pass, scene, settle, type Scene } from "./scene.js";

const LIFE_MS = 600_000;
const NOBODY_THERE = { attended: false };
const VIEWER = "{ viewer { kind } }";

/** A browser's client, followed and live; and whether somebody is there. */
async function screen(t: TestContext): Promise<Scene & { person: { isThere: boolean } }> {
  const person = { isThere: true };
  const here = scene(t, { auth: cookie({ isAttended: () => person.isThere }) });
  await following(here);
  await here.socket.live(7);
  return Object.assign(here, { person });
}

const greeting = (socket: FakeSocket): unknown => socket.sent[0]!.payload;
const rtAsked = (socket: FakeSocket): unknown => socket.asked.at(-1)!.payload.extensions.rt;

async function comeBack(here: Scene): Promise<void> {
  await here.socket.drop();
  await pass(1_000);
  await here.socket.open();
}

test("somebody is there: nothing is said of it, at first or after a cut", async (t) => {
  const here = await screen(t);
  assert.equal(greeting(here.socket), undefined);
  await comeBack(here);

  assert.equal(greeting(here.socket), undefined);
  assert.deepEqual(rtAsked(here.socket), { since: { "cv:1": ["ep", 7] } });
});

test("a screen left alone comes back saying so, and no more when somebody is there again", async (t) => {
  const here = await screen(t);
  here.person.isThere = false;
  await comeBack(here);
  assert.deepEqual(greeting(here.socket), { rt: NOBODY_THERE });
  assert.deepEqual(rtAsked(here.socket), { since: { "cv:1": ["ep", 7] }, ...NOBODY_THERE });

  here.person.isThere = true;
  await comeBack(here);
  assert.equal(greeting(here.socket), undefined);
  assert.deepEqual(rtAsked(here.socket), { since: { "cv:1": ["ep", 7] } });
});

test("a drained server's socket is replaced by one that says so", async (t) => {
  const here = await screen(t);
  here.person.isThere = false;
  await here.socket.say({ type: "ping", payload: { rt: { drain: { in: 1_000, spread: 0 } } } });
  await pass(1_000);
  await here.socket.open();

  assert.equal(FakeSocket.all.length, 2);
  assert.deepEqual(greeting(here.socket), { rt: NOBODY_THERE });
});

test("what is asked anew on a socket from before says so by itself", async (t) => {
  const here = await screen(t);
  here.person.isThere = false;
  await here.socket.fail("RT_LIMIT");
  await pass(2_000);

  assert.equal(FakeSocket.all.length, 1);
  assert.equal(here.socket.asked.length, 2);
  assert.deepEqual(rtAsked(here.socket), { since: { "cv:1": ["ep", 7] }, ...NOBODY_THERE });
});

test("a call over HTTP says so too, beside its document's hash or alone", async (t) => {
  const here = await screen(t);
  for (const isThere of [true, false]) {
    here.person.isThere = isThere;
    here.answers.push({ data: { viewer: null } });
    await here.client.execute(VIEWER);
  }

  assert.deepEqual(
    here.asked.map(({ extensions }) => extensions),
    [undefined, { rt: NOBODY_THERE }],
  );
});

test("a token from elsewhere goes with it", async (t) => {
  const here = scene(t, { auth: token(() => "mine", { isAttended: () => false }) });
  await following(here);

  assert.deepEqual(greeting(here.socket), { token: "mine", rt: NOBODY_THERE });
});

for (const code of [1006, 4403]) {
  test(`an app's token that is over is not exchanged with nobody there (${code})`, async (t) => {
    const person = { isThere: true };
    const saved: (KeptSession | null)[] = [];
    const kept = {
      ...{ device: "phone", accessToken: "access1", refreshToken: "refresh1" },
      accessTokenExpiresAt: 1_700_000_000_000 + LIFE_MS,
    };
    const store = { load: async () => kept, save: async (one: KeptSession | null) => void saved.push(one) };
    const here = scene(t, { auth: bearer({ store, isAttended: () => person.isThere }) });
    const { errors } = await following(here, { position: "cv:1:ep:7" });
    person.isThere = false;
    for (let n = 0; n < LIFE_MS; n += 25_000) {
      await pass(25_000);
      await here.socket.say({ type: "ping" });
    }
    assert.equal(FakeSocket.all.length, 1);
    await here.socket.drop(code, "session expired");
    for (let n = 0; n < 5; n += 1) {
      await pass(30_000);
      if (here.socket.readyState === FakeSocket.CONNECTING) await here.socket.open({ ack: false });
    }
    assert.deepEqual([here.asked, errors, saved], [[], [], []]);

    person.isThere = true;
    const accessTokenExpiresAt = new Date(Date.now() + LIFE_MS).toISOString();
    const session = { accessToken: "access2", refreshToken: "refresh2", accessTokenExpiresAt };
    here.answers.push({ data: { refreshSession: session } });
    await pass(30_000);
    here.client.wake();
    await settle();
    await here.socket.open();
    assert.equal(here.asked.length, 1);
    assert.deepEqual(greeting(here.socket), { token: "access2" });
    assert.equal(here.socket.asked.at(-1)!.payload.query, EVENTS);
  });
}
