import { createClient, type Client as WsClient } from "graphql-ws";
import { NOBODY_THERE, isNobodyThere, type Auth } from "./auth.js";
import { Codes, report, type GraphQLErrorLike } from "./errors.js";
import type { Request, Result } from "./http.js";
import type { Positions } from "./positions.js";
import { backoffMs, type Backoff, type Waiting } from "./waiting.js";

/** Why a connection is over for good. */
export type EndReason = "revoked" | "expired" | "unauthenticated" | "signed-out" | "disposed" | "protocol";
export type Phase = "connecting" | "open" | "offline";

/** One subscription on one socket. `dropped`: the socket is given up, somebody else goes on. */
export interface Sink {
  next(result: Result): void;
  failed(errors: readonly GraphQLErrorLike[]): void;
  complete(): void;
  live(positions: Positions): void;
  lost(): void;
  dropped(): void;
}

export interface SocketOptions {
  readonly url: string;
  readonly auth: Auth;
  readonly waiting: Waiting;
  readonly backoff: Backoff;
  readonly webSocket: unknown;
}

/** What happens to the socket as a whole. */
export interface SocketEvents {
  changed(): void;
  drain(inMs: number, spreadMs: number): void;
  /** It will not come back: for good, or (null) because of something a new one may not meet. */
  over(reason: EndReason | null): void;
}

/** An unused socket is kept while a person goes from one page to the next. */
const LINGER_MS = 3_000;
const ACK_WAIT_MS = 15_000;
/** The server pings every 25 s; a silence of this much more means that nobody is there. */
const SILENCE_SLACK_MS = 10_000;
const WATCH_EVERY_MS = 5_000;
/** Too many sockets of this account: closing another one takes a person some time. */
const CROWDED_MS = 15_000;
const REFUSALS_MAX = 3;

const FORBIDDEN = 4403;
const CROWDED = 4290;
/** A mistake of this program: to repeat it helps nobody. */
const MISTAKES = new Set([4400, 4401, 4406, 4409, 4429]);

/** One graphql-ws client: named operations, its own reconnects, and what our server says in pings. */
export class Socket {
  phase: Phase = "connecting";
  /** How often it was acknowledged: tells one connection from the next. */
  welcomes = 0;
  /** When the next attempt is made, while offline; milliseconds since 1970. */
  retryAt = 0;
  /** A newer socket takes over: this one is used while it lasts, and does not come back. */
  isLeaving = false;
  readonly #options: SocketOptions;
  readonly #events: SocketEvents;
  readonly #client: WsClient;
  readonly #ids = new WeakMap<object, string>();
  readonly #uses = new Map<string, number>();
  readonly #sinks = new Map<string, Sink>();
  #token: string | null = null;
  #refusals = 0;
  #closeCode = 0;
  #why: unknown;
  #reason: EndReason | null = null;
  #isOver = false;
  #heardAt = 0;
  #silenceMs = Infinity;
  #watchdog: ReturnType<typeof setInterval> | undefined;

  constructor(options: SocketOptions, events: SocketEvents) {
    this.#options = options;
    this.#events = events;
    this.#client = createClient({
      url: options.url,
      ...(options.webSocket ? { webSocketImpl: options.webSocket } : {}),
      lazyCloseTimeout: LINGER_MS,
      connectionAckWaitTimeout: ACK_WAIT_MS,
      retryAttempts: Infinity,
      retryWait: (tries) => this.#pause(tries),
      shouldRetry: (why) => !this.isLeaving && !this.#isOver && !isMistake(why),
      connectionParams: () => this.#greet(),
      generateID: (payload) => this.#ids.get(payload) ?? "0",
      on: {
        connecting: () => this.#become("connecting"),
        connected: (_socket, payload) => this.#welcomed(payload),
        message: () => void (this.#heardAt = Date.now()),
        ping: (isReceived, payload) => isReceived && this.#told(payload),
        closed: (event) => this.#closed(event),
        error: (why) => void (this.#why = why),
      },
    });
  }

  /** Begin the operation; returns how to end it. `request` is read anew at each reconnect. */
  subscribe(request: Request, name: string, sink: Sink): () => void {
    const id = this.#idOf(name);
    this.#ids.set(request, id);
    this.#sinks.set(id, sink);
    const end = this.#client.subscribe(request as never, {
      next: (result) => this.#sinks.get(id)?.next(result as Result),
      error: (error) => this.#broken(id, error),
      complete: () => this.#take(id)?.complete(),
    });
    return () => {
      this.#sinks.delete(id);
      // Once disposed, closing ends them all; ended one by one they would leave a timer behind.
      if (!this.#isOver || this.phase !== "open") end();
    };
  }

  /** Cut a socket that has been silent for a heartbeat: it looked well before the device slept. */
  wake(): void {
    if (this.phase === "open" && Date.now() - this.#heardAt > this.#silenceMs - SILENCE_SLACK_MS)
      this.#client.terminate();
  }

  dispose(): void {
    this.#isOver = true;
    this.#sinks.clear();
    clearInterval(this.#watchdog);
    Promise.resolve(this.#client.dispose()).catch(() => {}); // it was not even connected
  }

  /** The same operation has the same id in every client: the server's frames are then equal bytes. */
  #idOf(name: string): string {
    const uses = (this.#uses.get(name) ?? 0) + 1;
    this.#uses.set(name, uses); // never used twice on one socket: a late answer would find the wrong reader
    return uses === 1 ? name : `${name}.${uses}`;
  }

  async #greet(): Promise<Record<string, unknown> | undefined> {
    const { auth } = this.#options;
    const isUnattended = isNobodyThere(auth);
    try {
      if (this.#refusals && !(await auth.refused(this.#token, isUnattended))) {
        this.#end("unauthenticated");
        this.#client.terminate();
      }
      this.#token = await auth.token(isUnattended);
    } catch {
      this.#client.terminate(); // no token to be had just now: the next attempt asks again
    }
    if (this.#token === null && !isUnattended) return undefined;
    return { ...(this.#token === null ? {} : { token: this.#token }), ...(isUnattended ? NOBODY_THERE : {}) };
  }

  #pause(tries: number): Promise<void> {
    const ms = Math.max(
      backoffMs(tries, this.#options.backoff),
      this.#closeCode === CROWDED ? CROWDED_MS : 0,
    );
    this.retryAt = Date.now() + ms;
    this.#events.changed();
    return this.#options.waiting.pause(ms);
  }

  #welcomed(payload: unknown): void {
    this.#refusals = 0;
    this.welcomes += 1;
    const beatMs = (payload as { rt?: { hb?: number } } | undefined)?.rt?.hb;
    this.#silenceMs = typeof beatMs === "number" ? beatMs + SILENCE_SLACK_MS : Infinity;
    this.#heardAt = Date.now();
    clearInterval(this.#watchdog);
    this.#watchdog = setInterval(() => {
      if (Date.now() - this.#heardAt > this.#silenceMs) this.#client.terminate();
    }, WATCH_EVERY_MS);
    this.#become("open");
  }

  #told(payload: Record<string, unknown> | undefined): void {
    const rt = payload?.["rt"] as
      { live?: Record<string, Positions>; drain?: { in: number; spread: number } } | undefined;
    for (const [id, positions] of Object.entries(rt?.live ?? {})) this.#sinks.get(id)?.live(positions);
    if (rt?.drain) this.#events.drain(rt.drain.in, rt.drain.spread);
  }

  #closed(event: unknown): void {
    const { code, reason } = event as { code: number; reason: string };
    this.#closeCode = code;
    clearInterval(this.#watchdog);
    if (code === FORBIDDEN) this.#refused(reason);
    this.phase = "offline";
    this.retryAt = Date.now();
    for (const sink of [...this.#sinks.values()]) sink.lost();
    this.#events.changed();
  }

  #refused(reason: string): void {
    this.#refusals += 1;
    if (reason === "revoked") this.#end("revoked");
    else if (this.#options.auth.heldAs === "BROWSER")
      this.#end(reason === "session expired" ? "expired" : "unauthenticated");
    else if (this.#refusals >= REFUSALS_MAX) this.#end("unauthenticated");
  }

  #broken(id: string, error: unknown): void {
    const sink = this.#take(id);
    if (Array.isArray(error)) {
      sink?.failed(error as GraphQLErrorLike[]);
      return;
    }
    if (isMistake(error) && error !== this.#why) {
      report(error); // this operation's own: variables that are no JSON, say
      sink?.failed([{ message: "", extensions: { code: Codes.notSent } }]);
      return;
    }
    sink?.dropped();
    if (!this.isLeaving) this.#end(MISTAKES.has(this.#closeCode) ? "protocol" : null);
  }

  #end(reason: EndReason | null): void {
    this.#reason ??= reason;
    if (this.#isOver) return;
    this.#isOver = true;
    queueMicrotask(() => this.#events.over(this.#reason)); // after graphql-ws has told every operation
  }

  #take(id: string): Sink | undefined {
    const sink = this.#sinks.get(id);
    this.#sinks.delete(id);
    return sink;
  }

  #become(phase: Phase): void {
    this.phase = phase;
    this.#events.changed();
  }
}

/** Neither a close event nor a failure of the network, which come back: to repeat it would never end. */
function isMistake(why: unknown): boolean {
  return why instanceof Error && typeof (why as { code?: unknown }).code !== "number";
}
