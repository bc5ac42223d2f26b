import { Codes, report, UnionhallError, type GraphQLErrorLike } from "./errors.js";

/** What GraphQL answers, as it comes. */
export interface Result<Data = unknown> {
  readonly data?: Data | null;
  readonly errors?: readonly GraphQLErrorLike[];
  readonly extensions?: Readonly<Record<string, unknown>>;
}

/** What is sent. `query` is empty where a hash stands for it. */
export interface Request {
  readonly query: string;
  readonly variables?: unknown;
  readonly extensions?: Readonly<Record<string, unknown>>;
}

export interface Posting {
  readonly token?: string | null;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** One answer and its HTTP status. */
export interface Answer {
  readonly status: number;
  readonly result: Result;
}

/** GraphQL over HTTP, by POST only: nothing of a request ever stands in a URL. */
export class Http {
  readonly #url: string;
  readonly #fetch: typeof fetch;

  constructor(url: string, fetcher: typeof fetch) {
    this.#url = url;
    this.#fetch = fetcher;
  }

  /** Raises UnionhallError when no GraphQL answer came. `token` null: the browser's cookie counts. */
  async post(request: Request, { token, timeoutMs, signal }: Posting): Promise<Answer> {
    const body = jsonOf(request);
    const clock = new AbortController();
    const timer = setTimeout(() => clock.abort(), timeoutMs);
    const stop = (): void => clock.abort();
    signal?.addEventListener("abort", stop);
    if (signal?.aborted) stop();
    try {
      const response = await this.#fetch(this.#url, {
        method: "POST",
        headers: {
          "content-type": "application/json",
          accept: "application/graphql-response+json, application/json",
          ...(token ? { authorization: `Bearer ${token}` } : {}),
        },
        credentials: token ? "omit" : "include",
        cache: "no-store",
        redirect: "error",
        body,
        signal: clock.signal,
      });
      return await answerOf(response);
    } catch (error) {
      if (error instanceof UnionhallError) throw error;
      if (signal?.aborted) throw new UnionhallError(Codes.aborted);
      throw new UnionhallError(clock.signal.aborted ? Codes.timeout : Codes.unreachable);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", stop);
    }
  }
}

function jsonOf(request: Request): string {
  try {
    return JSON.stringify(request);
  } catch (error) {
    report(error);
    throw new UnionhallError(Codes.notSent);
  }
}

async function answerOf(response: Response): Promise<Answer> {
  const text = await response.text();
  try {
    const result = JSON.parse(text) as Result | null;
    if (result !== null && typeof result === "object" && ("data" in result || Array.isArray(result.errors))) {
      return { status: response.status, result };
    }
  } catch {
    // Something in between has answered: a proxy, a captive portal.
  }
  const retryAfterS = Number(response.headers.get("retry-after"));
  const wait = retryAfterS > 0 ? { retryAfterS } : {};
  throw new UnionhallError(Codes.badAnswer, { status: response.status, ...wait });
}
