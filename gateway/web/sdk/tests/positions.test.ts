import assert from "node:assert/strict";
import { test } from "node:test";
import { Vector, type Rt } from "../src/positions.js";

/** Pseudo-random numbers that a failure can be repeated with (mulberry32). */
function dice(seed: number): (below: number) => number {
  return (below) => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

test("a cursor of several streams comes back as it was", () => {
  const cursor = "cv:a:b:ep.1:7,ou:c::0";
  assert.equal(new Vector(cursor).cursor, cursor);
  assert.deepEqual(new Vector(cursor).since, { "cv:a:b": ["ep.1", 7], "ou:c": ["", 0] });
  for (const wrong of ["x", "cv:1:ep:", "cv:1:ep:-1", ",", "cv:1:ep:7,"]) {
    assert.throws(() => new Vector(wrong), TypeError);
  }
});

/** What one socket tells of the log: some events are not for us, `p` says so, `live` comes somewhere. */
class Carrier {
  at: number;
  told: number;
  live: number;

  constructor(since: number, live: number) {
    this.at = this.told = since;
    this.live = live;
  }

  /** The next thing that it says, or null at the end of the log. */
  next(log: readonly boolean[]): { rt?: Rt; live?: number } | null {
    while (this.at < log.length) {
      if (this.at === this.live) {
        this.live = -1;
        this.told = this.at;
        return { live: this.at };
      }
      const isOurs = log[this.at];
      this.at += 1;
      if (!isOurs) continue;
      const p = this.told === this.at - 1 ? {} : { p: this.told };
      this.told = this.at;
      return { rt: { s: "s", e: "e", o: this.at, ...p } };
    }
    return null;
  }
}

test("whatever is cut, handed over, lost or said twice: each event once, in order, or a gap is seen", () => {
  for (let seed = 1; seed <= 400; seed += 1) {
    const roll = dice(seed);
    const log = Array.from({ length: 40 }, () => roll(3) > 0);
    const vector = new Vector("s:e:0");
    const applied: number[] = [];
    const place = (): number => vector.since["s"]![1];
    let carriers = [new Carrier(0, roll(40))];
    for (let step = 0; step < 400 || place() < log.lastIndexOf(true) + 1; step += 1) {
      assert.ok(step < 4_000, `seed ${seed}: no end`);
      const fate = roll(20);
      if (fate === 0)
        carriers = [new Carrier(place(), place() + roll(10))]; // cut, and back
      else if (fate === 1) carriers = [carriers.at(-1)!, new Carrier(place(), place() + roll(10))]; // handed over
      const carrier = carriers[roll(carriers.length)]!;
      const said = carrier.next(log);
      if (fate === 2 && carrier.live < carrier.at) continue; // lost, which must not go unnoticed
      if (said?.live !== undefined && fate !== 3) vector.announce({ s: ["e", said.live] });
      if (!said?.rt) continue;
      const verdict = vector.judge(said.rt);
      if (verdict === "gap") carriers = [new Carrier(place(), -1)];
      if (verdict !== "apply") continue;
      vector.move(said.rt);
      applied.push(said.rt.o!);
    }
    const ours = log.flatMap((isOurs, at) => (isOurs ? [at + 1] : []));
    assert.deepEqual(applied, ours, `seed ${seed}`);
  }
});
