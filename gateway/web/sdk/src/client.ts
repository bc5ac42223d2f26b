import { cookie, NOBODY_THERE, isNobodyThere, type Auth, type AuthMaker, type SessionAnswer } from "./auth.js";
import { hashOf } from "./carrying.js";
import { Spelling, type Arguments, type Document } from "./documents.js";
import { PERSISTED_QUERY_NOT_FOUND, UNAUTHENTICATED, UnionhallError } from "./errors.js";
import type { Event, FollowOptions, Following } from "./follow.js";
import { Http, type Answer, type Request, type Result } from "./http.js";
import { Live, type ConnectionState } from "./live.js";
import { Outbox, type OutboxOptions } from "./outbox.js";
import * as own from "./own.js";
import { BACKOFF, Waiting, type Backoff } from "./waiting.js";
import type { Watchable } from "./watched.js";

export interface ConnectOptions {
  /** The endpoint over HTTP, such as `https://…/graphql`; the socket's is the same with `ws`. */
  readonly url: string;
  /** `cookie()` (the default), `bearer(…)` or `token(…)`. */
  readonly auth?: AuthMaker;
  /** Send documents that carry a SHA-256 as that alone; the text follows where the server asks for it. */
  readonly trustedDocuments?: boolean;
  readonly backoff?: Backoff;
  /** How long an answer over HTTP is waited for, in milliseconds. */
  readonly timeoutMs?: number;
  /** For programs that are no browser, such as npm `ws`. */
  readonly webSocket?: unknown;
  readonly fetch?: typeof fetch;
}

export interface SignIn {
  readonly identifier: string;
  readonly password: string;
}

export interface CallOptions {
  readonly signal?: AbortSignal;
}

const TIMEOUT_MS = 30_000;
/** A client of one server for one person. Nothing is opened before it is needed. */
export function connect(options: ConnectOptions): Client {
  return new Client(options);
}

export class Client {
  readonly #auth: Auth;
  readonly #http: Http;
  readonly #live: Live;
  readonly #spelling: Spelling;
  readonly #waiting = new Waiting();
  readonly #backoff: Backoff;
  readonly #timeoutMs: number;
  readonly #stopListening: () => void;
  #outbox: Outbox | null = null;

  constructor(options: ConnectOptions) {
    const { url, auth = cookie(), backoff = BACKOFF, webSocket } = options;
    this.#http = new Http(url, options.fetch ?? ((input, init) => fetch(input, init)));
    this.#backoff = backoff;
    this.#timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
    this.#spelling = new Spelling(options.trustedDocuments ?? false);
    this.#auth = auth((refreshToken, device, timeoutMs) => this.#refresh(refreshToken, device, timeoutMs));
    this.#live = new Live({
      ...{ url: socketUrl(url), auth: this.#auth, spelling: this.#spelling, waiting: this.#waiting },
      ...{ backoff, webSocket },
    });
    this.#auth.onOver = () => this.#live.end("expired");
    this.#live.state.watch((state) => {
      // Somebody else may be signed in from now on, in another tab with the same cookie too.
      if (state.is === "ended" && state.reason !== "protocol") this.#outbox?.close();
    });
    this.#stopListening = listen(() => this.wake());
  }

  /** Where the live connection stands. */
  get connection(): Watchable<ConnectionState> {
    return this.#live.state;
  }

  /** A query or mutation, whatever it answers: errors of single fields come beside the data. */
  async execute<Data = any, Variables = any>(
    document: Document<Data, Variables>,
    ...[variables, options]: Arguments<Variables, CallOptions>
  ): Promise<Result<Data>> {
    return (await this.#call(document, variables, options?.signal)) as Result<Data>;
  }

  /** The data of a query; any error is thrown. */
  async query<Data = any, Variables = any>(
    document: Document<Data, Variables>,
    ...[variables, options]: Arguments<Variables, CallOptions>
  ): Promise<Data> {
    const { data, errors } = await this.#call(document, variables, options?.signal);
    if (errors?.length || data == null) throw UnionhallError.of(errors ?? []);
    return data as Data;
  }

  /** The data of a mutation that is committed; a refusal is thrown. Sent once: see `openOutbox`. */
  async mutate<Data = any, Variables = any>(
    document: Document<Data, Variables>,
    ...[variables, options]: Arguments<Variables, CallOptions>
  ): Promise<Data> {
    return committed(await this.#call(document, variables, options?.signal)) as Data;
  }

  /** Follow a subscription over all disconnects: each event once, in order, none left out. */
  follow<Data = any, Variables = any>(
    document: Document<Data, Variables>,
    variables: Variables,
    options: FollowOptions & { readonly next: (data: Data, event: Event) => void },
  ): Following {
    return this.#live.follow(document, variables, options, (result, event) =>
      options.next(result.data as Data, event),
    );
  }

  /** The same with GraphQL's whole results, for adapters to other clients. */
  subscribe(
    document: Document,
    variables: unknown,
    options: FollowOptions & { readonly next: (result: Result) => void },
  ): Following {
    return this.#live.follow(document, variables, options, (result) => options.next(result));
  }

  /** Open the account's outbox, after each sign-in anew: what it holds from before is sent at once. */
  openOutbox(options: OutboxOptions): Outbox {
    this.#outbox?.close();
    const post = async (document: Document, variables: unknown, signal: AbortSignal): Promise<unknown> =>
      committed(await this.#call(document, variables, signal));
    this.#outbox = new Outbox(options, post, this.#waiting, this.#backoff);
    return this.#outbox;
  }

  /** Sign in as `auth` says. Subscriptions that ended have to be started anew. */
  async signIn(who: SignIn): Promise<{ readonly sessionId: string; readonly expiresAt: string }> {
    const { heldAs } = this.#auth;
    if (heldAs === null) throw new TypeError("the token comes from elsewhere");
    const device = await this.#auth.device();
    const input = { ...who, heldAs, ...(device === null ? {} : { device }) };
    const { result } = await this.#http.post(
      { query: own.SIGN_IN, variables: { input } },
      { timeoutMs: this.#timeoutMs },
    );
    const session = (committed(result) as { signIn: SessionAnswer }).signIn;
    this.#live.end("signed-out"); // nothing of the person before stays open, nor is sent
    this.#outbox?.close();
    await this.#auth.keep(session);
    this.#live.revive();
    return { sessionId: session.sessionId, expiresAt: session.expiresAt };
  }

  /**
   * Sign out. Here everything is forgotten at once, the outbox with it; an error means that the server
   * could not be told, and that the session there ends by itself later. (Or that a store on this device
   * has failed to forget: the server is told all the same.)
   */
  async signOut({ everywhere = false } = {}): Promise<void> {
    const cleared = this.#outbox?.clear();
    this.#live.end("signed-out");
    const left = this.#auth.leave();
    const here = await Promise.allSettled([cleared, left.forgotten]);
    const token = await left.token().catch(() => null);
    const query = everywhere ? own.SIGN_OUT_EVERYWHERE : own.SIGN_OUT;
    const { result } = await this.#http.post({ query }, { token, timeoutMs: this.#timeoutMs });
    committed(result);
    for (const each of here) if (each.status === "rejected") throw each.reason;
  }

  /** Somebody is back at the screen, or the network: try now what waits. */
  wake(): void {
    this.#live.wake();
  }

  /** Stop everything. What is in the outbox stays in its store. */
  dispose(): void {
    this.#stopListening();
    this.#live.end("disposed");
    this.#auth.attend(false);
  }

  async #call(document: Document, variables: unknown, signal: AbortSignal | undefined): Promise<Result> {
    for (let isSecond = false; ; isSecond = true) {
      const { query, sha256 } = this.#spelling.spell(document);
      const extensions = { ...hashOf(sha256), ...(isNobodyThere(this.#auth) ? NOBODY_THERE : {}) };
      const request: Request = {
        ...{ query, variables: variables ?? {} },
        ...(Object.keys(extensions).length ? { extensions } : {}),
      };
      const token = await this.#auth.token();
      const answer = await this.#http.post(request, { token, timeoutMs: this.#timeoutMs, signal });
      const code = answer.result.errors?.[0]?.extensions?.["code"];
      if (code === PERSISTED_QUERY_NOT_FOUND && this.#spelling.sendText(sha256)) continue;
      if (isSecond || !isUnauthenticated(answer, code) || !(await this.#auth.refused(token)))
        return answer.result;
    }
  }

  async #refresh(refreshToken: string, device: string, timeoutMs: number): Promise<SessionAnswer> {
    const variables = { input: { refreshToken, device } };
    const { result } = await this.#http.post({ query: own.REFRESH, variables }, { timeoutMs });
    return (committed(result) as { refreshSession: SessionAnswer }).refreshSession;
  }
}

/** Nothing was done: the token was not taken, or nobody may do this. */
function isUnauthenticated({ status, result }: Answer, code: unknown): boolean {
  return (status === 401 || code === UNAUTHENTICATED) && result.data == null;
}

/** A field of the mutation that is there was committed, whatever could not be shown of it. */
function committed({ data, errors }: Result): unknown {
  const isThere = data != null && Object.values(data).some((field) => field !== null);
  if (!isThere) throw UnionhallError.of(errors ?? []);
  return data;
}

function socketUrl(url: string): string {
  const socket = new URL(url, typeof location === "undefined" ? undefined : location.href);
  socket.protocol = socket.protocol === "https:" ? "wss:" : "ws:";
  return socket.href;
}

/** A browser tells when the network or the person is back. Returns how to stop. */
function listen(wake: () => void): () => void {
  if (typeof addEventListener !== "function" || typeof document === "undefined") return () => {};
  const seen = (): void => void (document.visibilityState === "visible" && wake());
  addEventListener("online", wake);
  document.addEventListener("visibilitychange", seen);
  return () => {
    removeEventListener("online", wake);
    document.removeEventListener("visibilitychange", seen);
  };
}
