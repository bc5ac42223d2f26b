import type { Document, Spelling } from "./documents.js";
import { Codes, PERSISTED_QUERY_NOT_FOUND, report, UnionhallError, type GraphQLErrorLike } from "./errors.js";
import { afterOf, Attachment, nameOf, requestOf } from "./carrying.js";
import type { Result } from "./http.js";
import { Vector, type Positions, type Rt } from "./positions.js";
import type { Sink, Socket } from "./socket.js";
import { backoffMs, spreadMs, type Backoff, type Waiting } from "./waiting.js";

/** Where one subscription stands. */
export type FollowState = "catching-up" | "live" | "ended";

/** What came with an event. */
export interface Event {
  /** The place after this event, as `after` and `position` spell it; null for what is never stored. */
  readonly cursor: string | null;
  readonly stream: string | null;
  readonly offset: number | null;
  /** Errors of single fields, whose data are null. */
  readonly errors: readonly GraphQLErrorLike[];
}

export interface FollowOptions {
  /** Begin after this place: a snapshot's `position`, or what `Following.position` was before. */
  readonly position?: string | null;
  /**
   * Reads everything anew and answers its `position`: called first if no position is given, and each
   * time when what was missed cannot be had any more.
   */
  readonly snapshot?: (signal: AbortSignal) => Promise<string | null | undefined>;
  /** The right is gone: forget what was shown of this. `error` follows. */
  readonly forget?: (error: UnionhallError) => void;
  /** It has ended and will not go on. */
  readonly error?: (error: UnionhallError) => void;
  /** The server has nothing more to say. */
  readonly complete?: () => void;
  readonly state?: (state: FollowState) => void;
}

/** A running subscription. */
export interface Following {
  readonly state: FollowState;
  /** Up to where everything was applied; keep it with what was applied. Null: not known yet. */
  readonly position: string | null;
  stop(): void;
}

/** The connection, as its subscriptions see it. */
export interface Ground {
  readonly waiting: Waiting;
  readonly backoff: Backoff;
  readonly spelling: Spelling;
  /** The socket to be on; none while it is being replaced. */
  readonly socket: Socket | null;
  isNobodyThere(): boolean;
  changed(): void;
  leave(one: Follower): void;
}

/** Mistakes in a row after which an error is final. */
const FAILURES_MAX = 5;
/** Told to everybody at once; being slow is one's own affair. */
const TOLD_TO_ALL = "RT_UNRECOVERABLE";
const RESNAPSHOT: ReadonlySet<string> = new Set([TOLD_TO_ALL, "RT_LAGGED"]);
const GONE: ReadonlySet<string> = new Set(["RT_FORBIDDEN", "not_found", "forbidden"]);
/** The server is there, but not for us at the moment: tried for as long as it takes. */
const PATIENT: ReadonlySet<string> = new Set([
  "RT_UNAVAILABLE",
  "RT_LIMIT",
  "unavailable",
  "limited",
  Codes.unreachable,
  Codes.timeout,
  Codes.badAnswer,
]);

/** One subscription over all the sockets that carry it: each event is applied once, in order. */
export class Follower implements Following {
  state: FollowState = "catching-up";
  readonly #ground: Ground;
  readonly #document: Document;
  readonly #variables: unknown;
  readonly #options: FollowOptions;
  readonly #apply: (result: Result, event: Event) => void;
  readonly #vector: Vector;
  readonly #stopped = new AbortController();
  /** Where it is carried: during a hand-over by the old socket and the new one. */
  #current: Attachment | null = null;
  #older: Attachment | null = null;
  #isWaiting = false;
  #failures = 0;

  constructor(
    ground: Ground,
    document: Document,
    variables: unknown,
    options: FollowOptions,
    apply: (result: Result, event: Event) => void,
  ) {
    this.#ground = ground;
    this.#document = document;
    this.#variables = variables;
    this.#options = options;
    this.#apply = apply;
    this.#vector = new Vector(options.position ?? afterOf(variables));
  }

  get position(): string | null {
    return this.#vector.cursor;
  }

  start(): void {
    try {
      JSON.stringify(this.#variables);
    } catch (error) {
      report(error);
      return this.fail(new UnionhallError(Codes.notSent));
    }
    if (this.#vector.isEmpty && this.#options.snapshot) void this.#takeSnapshot();
    else this.attach();
  }

  stop(): void {
    if (this.state === "ended") return;
    this.state = "ended";
    this.#stopped.abort();
    this.#ground.leave(this);
    this.#detach();
    this.#options.state?.("ended");
    this.#ground.changed();
  }

  fail(error: UnionhallError): void {
    if (this.state === "ended") return;
    this.stop();
    this.#options.error?.(error);
  }

  /** Whether the socket still carries it, beside a newer one or alone. */
  isOn(socket: Socket): boolean {
    return this.#current?.socket === socket || this.#older?.socket === socket;
  }

  /** Go on at the ground's socket, from where we are. The one before is kept until that is live. */
  attach(): void {
    const { socket } = this.#ground;
    if (this.state === "ended" || this.#isWaiting || !socket || this.#current?.socket === socket) return;
    this.#older?.end();
    this.#older = this.#current;
    this.#current = new Attachment(socket);
    const { query, sha256 } = this.#ground.spelling.spell(this.#document);
    this.#current.sha256 = sha256;
    const request = requestOf(query, sha256, this.#variables, this.#vector, () => this.#ground.isNobodyThere());
    this.#current.end = socket.subscribe(request, nameOf(sha256 ?? query), this.#sink(this.#current));
    if (!this.#older) this.#become("catching-up");
  }

  #sink(here: Attachment): Sink {
    const isOurs = (): boolean => here === this.#current || here === this.#older;
    return {
      next: (result) => void (isOurs() && this.#take(result, here)),
      failed: (errors) => this.#failed(UnionhallError.of(errors), here),
      complete: () => {
        if (here !== this.#current) return;
        this.stop();
        this.#options.complete?.();
      },
      live: (positions) => void (isOurs() && this.#live(positions, here)),
      lost: () => {
        if (here === this.#older) this.#dropOlder();
        else if (here === this.#current && !this.#older) this.#become("catching-up");
      },
      dropped: () => {
        if (here === this.#older) this.#dropOlder();
        else if (here === this.#current) this.#current = null;
      },
    };
  }

  #take(result: Result, here: Attachment): void {
    const rt = (result.extensions as { rt?: Rt } | undefined)?.rt;
    if (rt === undefined || rt.o === undefined) {
      if (here === (this.#older ?? this.#current)) this.#deliver(result, rt); // never twice
      return;
    }
    const verdict = this.#vector.judge(rt);
    if (verdict === "gap") this.#gap(here);
    else if (verdict === "apply" && this.#deliver(result, rt)) {
      this.#vector.move(rt);
      this.#failures = 0;
    }
  }

  #deliver(result: Result, rt: Rt | undefined): boolean {
    const cursor = rt?.o === undefined ? null : `${rt.s}:${rt.e}:${rt.o}`;
    try {
      this.#apply(result, {
        cursor,
        stream: rt?.s ?? null,
        offset: rt?.o ?? null,
        errors: result.errors ?? [],
      });
      return true;
    } catch (error) {
      report(error); // as an event listener's error is; graphql-ws would close the socket for it
      this.fail(new UnionhallError(Codes.notApplied));
      return false;
    }
  }

  #live(positions: Positions, here: Attachment): void {
    this.#vector.announce(positions);
    if (here !== this.#current) return;
    here.isLive = true;
    this.#failures = 0;
    this.#dropOlder();
    this.#become("live");
  }

  #gap(here: Attachment): void {
    if (here === this.#older) return this.#dropOlder(); // the newer one begins where we are
    this.#failures += 1;
    if (this.#failures > FAILURES_MAX) return this.fail(new UnionhallError(Codes.gap));
    this.#detach();
    this.attach();
  }

  #failed(error: UnionhallError, here: Attachment): void {
    if (here === this.#older) return this.#dropOlder();
    if (here !== this.#current) return;
    [this.#current, this.#older] = [this.#older, null]; // the old socket, if there is one, goes on meanwhile
    if (error.code === PERSISTED_QUERY_NOT_FOUND && this.#ground.spelling.sendText(here.sha256))
      return this.attach();
    if (RESNAPSHOT.has(error.code) && this.#options.snapshot) {
      this.#failures += 1;
      if (this.#failures > FAILURES_MAX) return this.fail(error);
      this.#detach();
      const isFirst = this.#failures === 1;
      if (!isFirst) return void this.#takeSnapshot(backoffMs(this.#failures - 1, this.#ground.backoff));
      return void this.#takeSnapshot(error.code === TOLD_TO_ALL ? spreadMs() : 0);
    }
    void this.#again(error, () => this.attach());
  }

  /** Wait and do it again, or end. */
  async #again(error: UnionhallError, act: () => void): Promise<void> {
    if (GONE.has(error.code)) this.#options.forget?.(error);
    this.#failures += 1;
    const isPatient = PATIENT.has(error.code);
    if (!error.isPassing || (!isPatient && this.#failures > FAILURES_MAX)) return this.fail(error);
    await this.#pause(Math.max(error.retryAfterMs, backoffMs(this.#failures - 1, this.#ground.backoff)));
    act();
  }

  async #pause(ms: number): Promise<void> {
    this.#become("catching-up");
    this.#isWaiting = true;
    await this.#ground.waiting.pause(ms);
    this.#isWaiting = false;
  }

  async #takeSnapshot(waitMs = 0): Promise<void> {
    this.#become("catching-up");
    if (waitMs) await this.#pause(waitMs);
    if (this.#stopped.signal.aborted) return;
    this.#isWaiting = true;
    try {
      const position = await this.#options.snapshot?.(this.#stopped.signal);
      this.#vector.reset(position ?? null);
    } catch (error) {
      this.#isWaiting = false;
      if (this.#stopped.signal.aborted) return;
      if (error instanceof UnionhallError) return void this.#again(error, () => void this.#takeSnapshot());
      report(error);
      return this.fail(new UnionhallError(Codes.notApplied));
    }
    this.#isWaiting = false;
    this.attach();
  }

  #detach(): void {
    this.#dropOlder();
    this.#current?.end();
    this.#current = null;
  }

  #dropOlder(): void {
    if (!this.#older) return;
    this.#older.end();
    this.#older = null;
    this.#become(this.#current?.isLive ? "live" : "catching-up");
    this.#ground.changed();
  }

  #become(state: FollowState): void {
    if (this.#current) this.#current.isLive = state === "live";
    if (this.state === state || this.state === "ended") return;
    this.state = state;
    this.#options.state?.(state);
    this.#ground.changed();
  }
}
