import { hashOf, textOf, type Document, type TrustedDocument } from "./documents.js";
import { Codes, SESSION_OVER, UNAUTHENTICATED, UnionhallError } from "./errors.js";
import { uuid7 } from "./uuid.js";
import { Watched, type Watchable } from "./watched.js";
import { backoffMs, type Backoff, type Waiting } from "./waiting.js";

/** One mutation on its way, as it is stored. It holds what was typed: a store belongs to one device. */
export interface OutboxEntry {
  readonly account: string;
  readonly clientKey: string;
  /** Entries of one lane are sent in order, one after the other; lanes do not wait for each other. */
  readonly lane: string;
  readonly document: TrustedDocument<unknown, unknown>;
  readonly variables: unknown;
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** Where entries outlive the page. Each method concerns one account only. */
export interface OutboxStore {
  /** In the order in which they were put. */
  load(account: string): Promise<readonly OutboxEntry[]>;
  put(entry: OutboxEntry): Promise<void>;
  remove(account: string, clientKey: string): Promise<void>;
  clear(account: string): Promise<void>;
}

export interface OutboxOptions {
  /** Whose: `viewer.accountId`. */
  readonly account: string;
  readonly store: OutboxStore;
  /** Entries at the same time; above it `send` is refused with `outbox.full`. */
  readonly entriesMax?: number;
  /** An older entry is given up with `outbox.too_old`: the moment it was meant for is over. */
  readonly ageMaxMs?: number;
}

/** How an entry ended: committed with this answer, or refused. */
export type Outcome = { readonly data: unknown } | { readonly error: UnionhallError };

/** Sends one entry; the answer's data, or an error. */
export type Post = (document: Document, variables: unknown, signal: AbortSignal) => Promise<unknown>;

const ENTRIES_MAX = 200;
const SIGNED_OUT: ReadonlySet<string> = new Set([UNAUTHENTICATED, SESSION_OVER]);
const AGE_MAX_MS = 24 * 60 * 60 * 1_000;

/** For whoever waits for an entry: several may, under one key. */
interface Waiter {
  readonly answer: Promise<any>;
  resolve(data: unknown): void;
  reject(error: UnionhallError): void;
}

/** Mutations that are sent until an answer comes, each under one client key: done once, in order. */
export class Outbox {
  /** What is not answered yet, oldest first. */
  readonly entries: Watchable<readonly OutboxEntry[]>;
  readonly #options: OutboxOptions;
  readonly #post: Post;
  readonly #waiting: Waiting;
  readonly #backoff: Backoff;
  readonly #entries = new Watched<readonly OutboxEntry[]>([]);
  readonly #waiters = new Map<string, Waiter>();
  readonly #lanes = new Set<string>();
  /** On their way into the store: in their place in the order, and not to be sent yet. */
  readonly #unstored = new Set<OutboxEntry>();
  readonly #listeners = new Set<(entry: OutboxEntry, outcome: Outcome) => void>();
  readonly #stopped = new AbortController();
  #loaded: Promise<void>;

  constructor(options: OutboxOptions, post: Post, waiting: Waiting, backoff: Backoff) {
    this.#options = options;
    this.#post = post;
    this.#waiting = waiting;
    this.#backoff = backoff;
    this.entries = this.#entries;
    this.#loaded = this.#load();
  }

  /**
   * Send a mutation; `variables` puts the client key into its place. Resolves with the answer's data
   * (it is committed), rejects with the refusal. Meanwhile it is in the store and in `entries`. Under a
   * key that is on its way already, nothing more is sent: it is the same, and so is its answer.
   */
  async send<Data = any, Variables = any>(
    document: Document<Data, Variables>,
    variables: (clientKey: string) => Variables,
    { lane = "", clientKey = uuid7() }: { readonly lane?: string; readonly clientKey?: string } = {},
  ): Promise<Data> {
    await this.#loaded;
    this.#ensureOpen();
    const { account, entriesMax = ENTRIES_MAX } = this.#options;
    if (this.#entries.current.some((one) => one.clientKey === clientKey)) return this.#answerOf(clientKey);
    if (this.#entries.current.length >= entriesMax)
      throw new UnionhallError(Codes.outboxFull, { max: entriesMax });
    const sha256 = hashOf(document);
    const text = textOf(document);
    const entry: OutboxEntry = {
      ...{ account, clientKey, lane, at: Date.now(), variables: variables(clientKey) },
      document: sha256 === undefined ? { text } : { text, sha256 },
    };
    this.#entries.set([...this.#entries.current, entry]); // its place in the order is now
    void this.#put(entry);
    return this.#answerOf(clientKey);
  }

  /** Called for each entry that ends, those of an earlier start too. Returns how to stop. */
  settled(listener: (entry: OutboxEntry, outcome: Outcome) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Forget everything, here and in the store. What is under way may still be committed. */
  async clear(): Promise<void> {
    this.#stopped.abort();
    for (const entry of this.#entries.current)
      this.#settle(entry, { error: new UnionhallError(Codes.outboxCleared) });
    await this.#options.store.clear(this.#options.account);
  }

  /**
   * Send nothing more: whoever is signed in next may be somebody else. What is in the store stays for
   * the next `openOutbox` of this account; who waits is told `outbox.closed`.
   */
  close(): void {
    this.#stopped.abort();
    const stored = this.#entries.current.filter((one) => !this.#unstored.has(one));
    for (const { clientKey } of stored) this.#leave(clientKey);
  }

  #answerOf(clientKey: string): Promise<any> {
    let waiter = this.#waiters.get(clientKey);
    if (!waiter) {
      let ends!: Pick<Waiter, "resolve" | "reject">;
      const answer = new Promise<any>((resolve, reject) => (ends = { resolve, reject }));
      this.#waiters.set(clientKey, (waiter = { answer, ...ends }));
    }
    return waiter.answer;
  }

  #leave(clientKey: string): void {
    this.#waiters.get(clientKey)?.reject(new UnionhallError(Codes.outboxClosed));
    this.#waiters.delete(clientKey);
  }

  async #put(entry: OutboxEntry): Promise<void> {
    const { store } = this.#options;
    this.#unstored.add(entry);
    try {
      await store.put(entry);
      if (!this.#entries.current.includes(entry))
        store.remove(entry.account, entry.clientKey).catch(() => {}); // cleared meanwhile
      else if (this.#stopped.signal.aborted) this.#leave(entry.clientKey); // closed meanwhile
    } catch {
      this.#settle(entry, { error: new UnionhallError(Codes.outboxUnstored) });
    }
    this.#unstored.delete(entry);
    void this.#run(entry.lane);
  }

  async #load(): Promise<void> {
    const kept = await this.#options.store.load(this.#options.account).catch(() => []);
    if (this.#stopped.signal.aborted) return;
    this.#entries.set(kept.filter((entry) => entry.account === this.#options.account));
    for (const lane of new Set(kept.map((entry) => entry.lane))) void this.#run(lane);
  }

  async #run(lane: string): Promise<void> {
    if (this.#lanes.has(lane)) return;
    this.#lanes.add(lane);
    for (let tries = 0; !this.#stopped.signal.aborted;) {
      const entry = this.#entries.current.find((one) => one.lane === lane);
      if (!entry || this.#unstored.has(entry)) break; // its `send` goes on here, once it is stored
      const outcome = await this.#attempt(entry);
      if (this.#stopped.signal.aborted) break;
      if ("waitMs" in outcome) {
        await this.#waiting.pause(Math.max(outcome.waitMs, backoffMs(tries, this.#backoff)));
        tries += 1;
      } else {
        this.#settle(entry, outcome);
        tries = 0;
      }
    }
    this.#lanes.delete(lane);
  }

  async #attempt(entry: OutboxEntry): Promise<Outcome | { readonly waitMs: number }> {
    if (Date.now() - entry.at > (this.#options.ageMaxMs ?? AGE_MAX_MS))
      return { error: new UnionhallError(Codes.outboxTooOld) };
    try {
      return { data: await this.#post(entry.document, entry.variables, this.#stopped.signal) };
    } catch (error) {
      const why = error instanceof UnionhallError ? error : new UnionhallError("internal");
      if (SIGNED_OUT.has(why.code)) this.close(); // not refused: the same person finds it here again
      return why.isPassing || this.#stopped.signal.aborted ? { waitMs: why.retryAfterMs } : { error: why };
    }
  }

  #settle(entry: OutboxEntry, outcome: Outcome): void {
    const left = this.#entries.current.filter((one) => one !== entry);
    if (left.length === this.#entries.current.length) return;
    this.#entries.set(left);
    this.#options.store.remove(entry.account, entry.clientKey).catch(() => {}); // sent again, it is the same
    const waiter = this.#waiters.get(entry.clientKey);
    this.#waiters.delete(entry.clientKey);
    if ("data" in outcome) waiter?.resolve(outcome.data);
    else waiter?.reject(outcome.error);
    for (const listener of [...this.#listeners]) listener(entry, outcome);
  }

  #ensureOpen(): void {
    if (this.#stopped.signal.aborted) throw new UnionhallError(Codes.outboxClosed);
  }
}

/** Keeps entries as long as the page lives. */
export function memoryStore(): OutboxStore {
  let kept: readonly OutboxEntry[] = [];
  return {
    load: async (account) => kept.filter((one) => one.account === account),
    put: async (entry) => void (kept = [...kept, entry]),
    remove: async (account, clientKey) =>
      void (kept = kept.filter((one) => one.account !== account || one.clientKey !== clientKey)),
    clear: async (account) => void (kept = kept.filter((one) => one.account !== account)),
  };
}
