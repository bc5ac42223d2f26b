import { isNobodyThere, type Auth } from "./auth.js";
import type { Document, Spelling } from "./documents.js";
import { Codes, UnionhallError } from "./errors.js";
import { Follower, type Event, type FollowOptions, type Following, type Ground } from "./follow.js";
import type { Result } from "./http.js";
import { Socket, type EndReason } from "./socket.js";
import { Watched, type Watchable } from "./watched.js";
import { backoffMs, type Backoff, type Waiting } from "./waiting.js";

/** The connection as a person would name it. */
export type ConnectionState =
  /** Nothing is followed: no socket is needed. */
  | { readonly is: "idle" }
  | { readonly is: "connecting" }
  /** Connected; what was missed is on its way. */
  | { readonly is: "catching-up" }
  | { readonly is: "live" }
  /** The next attempt comes by itself at `retryAt` (milliseconds since 1970), or at `wake()`. */
  | { readonly is: "offline"; readonly retryAt: number }
  /** It will not come back by itself. */
  | { readonly is: "ended"; readonly reason: EndReason };

export interface LiveOptions {
  readonly url: string;
  readonly auth: Auth;
  readonly spelling: Spelling;
  readonly waiting: Waiting;
  readonly backoff: Backoff;
  readonly webSocket: unknown;
}

/** Of the time that a draining server gives: the rest is for connecting and catching up. */
const MOVE_SHARE = 0.6;

/** All subscriptions and the sockets under them: one, and a second one during a hand-over. */
export class Live implements Ground {
  readonly waiting: Waiting;
  readonly backoff: Backoff;
  readonly spelling: Spelling;
  socket: Socket | null = null;
  readonly #options: LiveOptions;
  readonly #state = new Watched<ConnectionState>({ is: "idle" });
  readonly #followers = new Set<Follower>();
  readonly #leaving = new Set<Socket>();
  #ended: EndReason | null = null;
  #breaks = 0;
  #retryAt = 0;

  constructor(options: LiveOptions) {
    this.#options = options;
    this.waiting = options.waiting;
    this.backoff = options.backoff;
    this.spelling = options.spelling;
  }

  get state(): Watchable<ConnectionState> {
    return this.#state;
  }

  follow(
    document: Document,
    variables: unknown,
    options: FollowOptions,
    apply: (result: Result, event: Event) => void,
  ): Following {
    const follower = new Follower(this, document, variables, options, apply);
    if (this.#ended) {
      const error = this.#endedError(this.#ended);
      queueMicrotask(() => follower.fail(error));
      return follower;
    }
    this.#followers.add(follower);
    if (!this.socket && !this.#breaks) this.socket = this.#newSocket();
    follower.start();
    this.changed();
    return follower;
  }

  /** Somebody is back, or the network: what waits is tried now, and a dead socket is cut. */
  wake(): void {
    this.socket?.wake();
    this.waiting.wake();
  }

  /** Everything stops; each subscription is told why. */
  end(reason: EndReason): void {
    if (this.#ended) return;
    this.#ended = reason;
    for (const socket of [...this.#leaving, ...(this.socket ? [this.socket] : [])]) socket.dispose();
    for (const follower of [...this.#followers]) follower.fail(this.#endedError(reason));
    this.#leaving.clear();
    this.socket = null;
    this.#breaks = 0;
    this.waiting.wake();
    this.changed();
  }

  /** Somebody has signed in: what is followed from here on finds a socket of theirs. */
  revive(): void {
    if (this.#ended === "disposed") return;
    this.#ended = null;
    this.changed();
  }

  isNobodyThere(): boolean {
    return isNobodyThere(this.#options.auth);
  }

  leave(one: Follower): void {
    this.#followers.delete(one);
  }

  changed(): void {
    for (const socket of [...this.#leaving]) {
      if ([...this.#followers].some((one) => one.isOn(socket))) continue;
      this.#leaving.delete(socket);
      socket.dispose();
    }
    if (this.socket?.phase === "open") this.#breaks = 0;
    const next = this.#look();
    this.#options.auth.attend(next.is === "live" || next.is === "catching-up");
    if (JSON.stringify(next) !== JSON.stringify(this.#state.current)) this.#state.set(next);
  }

  #look(): ConnectionState {
    if (this.#ended) return { is: "ended", reason: this.#ended };
    if (this.#followers.size === 0) return { is: "idle" };
    const isCarried = this.socket?.phase === "open" || [...this.#leaving].some((one) => one.phase === "open");
    if (isCarried)
      return { is: [...this.#followers].every((one) => one.state === "live") ? "live" : "catching-up" };
    if (this.socket?.phase === "connecting") return { is: "connecting" };
    return { is: "offline", retryAt: this.socket?.retryAt ?? this.#retryAt };
  }

  #newSocket(): Socket {
    const socket: Socket = new Socket(this.#options, {
      changed: () => this.changed(),
      drain: (inMs) => void this.#handOver(socket, inMs),
      over: (reason) => this.#over(socket, reason),
    });
    return socket;
  }

  /**
   * The server is about to stop: open a socket elsewhere, resume there, then leave the old one. Clients
   * choose a moment of their own in the time given, so that the next server does not get all at once.
   */
  async #handOver(socket: Socket, inMs: number): Promise<void> {
    const { welcomes } = socket;
    await this.waiting.pause(Math.random() * inMs * MOVE_SHARE);
    if (this.#ended || socket !== this.socket || socket.phase !== "open" || socket.welcomes !== welcomes)
      return;
    if (this.#followers.size === 0) return;
    socket.isLeaving = true;
    this.#leaving.add(socket);
    this.socket = this.#newSocket();
    for (const follower of [...this.#followers]) follower.attach();
  }

  #over(socket: Socket, reason: EndReason | null): void {
    this.#leaving.delete(socket);
    if (socket !== this.socket) return socket.dispose();
    if (reason) return this.end(reason);
    socket.dispose();
    this.socket = null;
    void this.#replace();
  }

  /** graphql-ws gives a socket up for codes that something in between may send in passing, such as 1011. */
  async #replace(): Promise<void> {
    const waitMs = backoffMs(this.#breaks, this.backoff);
    this.#breaks += 1;
    this.#retryAt = Date.now() + waitMs;
    this.changed();
    await this.waiting.pause(waitMs);
    if (this.#ended || this.socket) return;
    this.socket = this.#newSocket();
    for (const follower of [...this.#followers]) follower.attach();
  }

  #endedError(reason: EndReason): UnionhallError {
    return new UnionhallError(Codes.ended, { reason });
  }
}
