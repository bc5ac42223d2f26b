import assert from "node:assert/strict";
import { test } from "node:test";
import { bearer, token, type ConnectionState, type KeptSession } from "../src/index.js";
import { FakeSocket, following, pass, scene, settle } from "./scene.js";

const POSITION = "cv:1:ep:10";
const DRAIN = { type: "ping", payload: { rt: { drain: { in: 1_000, spread: 4_000 } } } };

test("a person can be told where the connection stands", async (t) => {
  const here = scene(t);
  const { stop } = await following(here, { position: POSITION });
  await here.socket.live(10);
  await here.socket.drop();
  const { is, retryAt } = here.client.connection.current as ConnectionState & { retryAt: number };
  assert.equal(is, "offline");
  assert.ok(retryAt > Date.now() && retryAt <= Date.now() + 1_000);
  await pass(1_000);
  await here.socket.open();
  await here.socket.live(10);
  stop();

  assert.deepEqual(
    here.states.filter((one, at) => one !== here.states[at - 1]),
    ["idle", "connecting", "catching-up", "live", "offline", "connecting", "catching-up", "live", "idle"],
  );
});

test("nothing is opened before something is followed, and what is idle is closed", async (t) => {
  const here = scene(t);
  await settle();
  assert.equal(FakeSocket.all.length, 0);
  const { stop } = await following(here);
  stop();
  await settle();
  await pass(3_100);

  assert.equal(here.socket.closedWith, 1000);
});

test("attempts grow apart up to half a minute, and go on", async (t) => {
  const here = scene(t);
  await following(here, { position: POSITION });
  const waits: number[] = [];
  for (let n = 0; n < 9; n += 1) {
    await here.socket.drop();
    waits.push((here.client.connection.current as { retryAt: number }).retryAt - Date.now());
    await pass(30_000);
  }

  assert.equal(FakeSocket.all.length, 10);
  waits.forEach((wait, n) => {
    const limit = Math.min(30_000, 1_000 * 2 ** n);
    assert.ok(wait >= 0.2 * limit && wait <= limit, `${n}: ${wait}`);
  });
});

test("whoever is back does not wait", async (t) => {
  const here = scene(t);
  await following(here, { position: POSITION });
  for (let n = 0; n < 6; n += 1) {
    await here.socket.drop();
    here.client.wake();
    await settle();
  }

  assert.equal(FakeSocket.all.length, 7);
});

test("a server that has been silent for longer than its heartbeat is dead", async (t) => {
  const here = scene(t);
  await following(here, { position: POSITION });
  await pass(30_000);
  await here.socket.say({ type: "ping" });
  await pass(34_000);
  assert.equal(here.socket.closedWith, null);
  await pass(7_000);

  assert.equal(FakeSocket.all[0]?.closedWith, 4499);
  await pass(1_000);
  assert.equal(FakeSocket.all.length, 2);
});

test("a revoked session does not come back", async (t) => {
  const here = scene(t, { auth: token(() => "t") });
  const { errors } = await following(here, { position: POSITION });
  await here.socket.drop(4403, "revoked");
  await pass(120_000);

  assert.deepEqual(here.client.connection.current, { is: "ended", reason: "revoked" });
  assert.deepEqual(errors, ["connection.ended"]);
  assert.equal(FakeSocket.all.length, 1);
});

test("what is followed after the end is told so", async (t) => {
  const here = scene(t);
  await following(here);
  await here.socket.drop(4403, "revoked");
  const late = await following(here);

  assert.deepEqual(late.errors, ["connection.ended"]);
  assert.equal(FakeSocket.all.length, 1);
});

for (const [said, reason] of [
  ["session expired", "expired"],
  ["Forbidden", "unauthenticated"],
] as const) {
  test(`a cookie cannot be refreshed: "${said}" is the end`, async (t) => {
    const here = scene(t);
    await following(here);
    await here.socket.drop(4403, said);
    await pass(120_000);

    assert.deepEqual(here.client.connection.current, { is: "ended", reason });
    assert.equal(FakeSocket.all.length, 1);
  });
}

test("a token that is refused is asked for once more, the same one is not tried again", async (t) => {
  const refused: (string | null)[] = [];
  const here = scene(t, { auth: token((old) => (refused.push(old), "only")) });
  await following(here);
  await here.socket.drop(4403, "Forbidden");
  await pass(1_000);
  await here.socket.open({ ack: false });
  await here.socket.drop(4403, "Forbidden");
  await pass(2_000);
  await here.socket.open({ ack: false });

  assert.deepEqual(refused.slice(0, 2), [null, "only"]);
  assert.deepEqual(here.client.connection.current, { is: "ended", reason: "unauthenticated" });
});

test("an expired session is refreshed and comes back with the new token", async (t) => {
  const kept: KeptSession = {
    device: "d",
    accessToken: "old",
    accessTokenExpiresAt: 1_700_000_600_000,
    refreshToken: "r1",
  };
  const here = scene(t, { auth: bearer({ store: { load: async () => kept, save: async () => {} } }) });
  await following(here, { position: POSITION });
  assert.deepEqual(here.socket.sent[0]?.payload, { token: "old" });
  await here.socket.drop(4403, "session expired");
  here.answers.push({
    data: {
      refreshSession: {
        sessionId: "s",
        accessToken: "new",
        accessTokenExpiresAt: "2030-01-01T00:00:00Z",
        refreshToken: "r2",
        expiresAt: "2031-01-01T00:00:00Z",
      },
    },
  });
  await pass(1_000);
  await here.socket.open();

  assert.deepEqual(here.socket.sent[0]?.payload, { token: "new" });
  assert.deepEqual(here.socket.since, { "cv:1": ["ep", 10] });
});

test("a code of something in between is no end, a mistake of ours is", async (t) => {
  const here = scene(t);
  const { errors, heard } = await following(here, { position: POSITION });
  await here.socket.drop(1011);
  assert.equal(here.client.connection.current.is, "offline");
  await pass(1_000);
  await here.socket.open();
  assert.deepEqual(here.socket.since, { "cv:1": ["ep", 10] });
  await here.socket.event(11);
  assert.deepEqual([heard, errors], [[11], []]);

  await here.socket.drop(4400, "Bad request");
  await pass(120_000);
  assert.deepEqual(here.client.connection.current, { is: "ended", reason: "protocol" });
  assert.equal(FakeSocket.all.length, 2);
});

test("drain: the new socket resumes before the old one is left, and each event comes once", async (t) => {
  const here = scene(t);
  const { heard } = await following(here, { position: POSITION });
  const old = here.socket;
  await old.live(10);
  await old.event(11);
  await old.say(DRAIN);
  assert.equal(FakeSocket.all.length, 1);
  await pass(1_000);
  const young = here.socket;
  assert.notEqual(young, old);

  await old.event(12);
  await young.open();
  assert.deepEqual(young.since, { "cv:1": ["ep", 12] });
  await old.event(13);
  await young.event(13);
  await young.event(14);
  await old.event(14);
  assert.equal(old.closedWith, null);
  await young.live(14);
  await settle();

  assert.equal(old.closedWith, 1000);
  await young.event(15);
  assert.deepEqual(heard, [11, 12, 13, 14, 15]);
  assert.equal(here.client.connection.current.is, "live");
  assert.ok(!here.states.includes("offline"));
});

test("drain: clients choose different moments within the time given", async (t) => {
  const moments = new Set<number>();
  for (let n = 0; n < 8; n += 1) {
    await t.test(`client ${n}`, async (each) => {
      const here = scene(each);
      await following(here);
      await here.socket.live(1);
      await here.socket.say(DRAIN);
      for (let ms = 0; FakeSocket.all.length === 1; ms += 50) {
        assert.ok(ms <= 1_050);
        await pass(50);
        moments.add(ms);
      }
    });
  }
  assert.ok(moments.size > 3);
});

test("drain: where nobody takes the new socket, the old one is used to its end", async (t) => {
  const here = scene(t);
  const { heard } = await following(here, { position: POSITION });
  const old = here.socket;
  await old.live(10);
  await old.say(DRAIN);
  await pass(1_000);
  await here.socket.drop(1006);
  await old.event(11);
  assert.equal(here.client.connection.current.is, "live");
  await old.drop(1012);
  assert.equal(here.client.connection.current.is, "offline");
  await pass(2_000);
  await here.socket.open();

  assert.deepEqual(here.socket.since, { "cv:1": ["ep", 11] });
  await here.socket.event(12);
  assert.deepEqual(heard, [11, 12]);
  assert.ok(FakeSocket.all.every((one) => one === here.socket || one.readyState === FakeSocket.CLOSED));
});
