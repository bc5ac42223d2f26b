/** `extensions.rt` of an event: its stream, epoch and offset; `x` marks one that is not stored. */
export interface Rt {
  readonly s: string;
  readonly e?: string;
  readonly o?: number;
  /** Offset of the answer before it, where events in between were not for this subscription. */
  readonly p?: number;
  readonly x?: 1;
}

/** Stream → [epoch, offset], as the server takes and gives them. */
export type Positions = Readonly<Record<string, readonly [epoch: string, offset: number]>>;

export type Verdict = "apply" | "known" | "gap";

const CURSOR = /^(.+):([^:]*):(\d+)$/;

/** Up to where each stream of one subscription has been applied. */
export class Vector {
  #places = new Map<string, readonly [string, number]>();

  constructor(cursors?: string | null) {
    if (cursors) this.reset(cursors);
  }

  /** Whether nothing is known: the subscription is then live from the moment it begins. */
  get isEmpty(): boolean {
    return this.#places.size === 0;
  }

  /** As `extensions.rt.since`. */
  get since(): Positions {
    return Object.fromEntries(this.#places);
  }

  /** As `after`, and as `position` of snapshots: to be kept with what was applied. */
  get cursor(): string | null {
    const cursors = [...this.#places].map(([stream, [epoch, offset]]) => `${stream}:${epoch}:${offset}`);
    return cursors.length ? cursors.join(",") : null;
  }

  /** Begin anew from a snapshot's position, or from an event's cursor. Throws for what is none. */
  reset(cursors: string | null): void {
    const places = new Map<string, readonly [string, number]>();
    for (const cursor of cursors?.split(",") ?? []) {
      const [, stream, epoch, offset] = CURSOR.exec(cursor.trim()) ?? [];
      if (stream === undefined || epoch === undefined) throw new TypeError("not a position");
      places.set(stream, [epoch, Number(offset)]);
    }
    this.#places = places;
  }

  /** Whether the event is the next one here. Everything between `p` and `o` was not for us. */
  judge({ s, e, o, p }: Rt): Verdict {
    const place = this.#places.get(s);
    if (o === undefined || place === undefined) return "apply";
    const [epoch, offset] = place;
    const isFirst = epoch === "" && offset === 0; // the position of a stream before its first event
    if (epoch !== e && !isFirst) return "gap";
    if (o <= offset) return "known";
    return (p ?? o - 1) <= offset ? "apply" : "gap";
  }

  /** The event has been applied. */
  move({ s, e, o }: Rt): void {
    if (o !== undefined && e !== undefined) this.#places.set(s, [e, o]);
  }

  /** Everything up to these places has been written before them. Never goes back. */
  announce(positions: Positions): void {
    for (const [stream, [epoch, offset]] of Object.entries(positions)) {
      const place = this.#places.get(stream);
      if (place === undefined || place[0] !== epoch || place[1] < offset)
        this.#places.set(stream, [epoch, offset]);
    }
  }
}
