/** One GraphQL error as it comes over the wire. */
export interface GraphQLErrorLike {
  readonly message: string;
  readonly path?: readonly (string | number)[];
  readonly extensions?: Readonly<Record<string, unknown>>;
}

/** Codes of this module; all others are the server's (docs/errors.md). */
export const Codes = {
  /** No answer came: offline, name not found, connection cut. Whether it was done is unknown. */
  unreachable: "network.unreachable",
  /** No answer came in time. Whether it was done is unknown. */
  timeout: "network.timeout",
  /** What answered was not GraphQL: a proxy's page, say. */
  badAnswer: "network.bad_answer",
  /** The caller's signal stopped it. */
  aborted: "network.aborted",
  /** The connection has ended for good; `reason` says why. */
  ended: "connection.ended",
  /** The server's event did not follow the last one, again and again. */
  gap: "connection.gap",
  /** `next` of a subscription has thrown; nothing after that event was applied. */
  notApplied: "connection.not_applied",
  /** The operation cannot be written as JSON. */
  notSent: "connection.not_sent",
  outboxFull: "outbox.full",
  outboxTooOld: "outbox.too_old",
  /** It is stored and will be sent when the same account's outbox is opened again. */
  outboxClosed: "outbox.closed",
  outboxCleared: "outbox.cleared",
  outboxUnstored: "outbox.unstored",
} as const;

export const UNAUTHENTICATED = "access.unauthenticated";
export const SESSION_OVER = "access.session_over";
export const PERSISTED_QUERY_NOT_FOUND = "PERSISTED_QUERY_NOT_FOUND";

const PASSING: ReadonlySet<string> = new Set([
  ...["unavailable", "internal", "limited", "request.too_slow", "vault.passwords_busy"],
  ...["access.too_many_attempts", "RT_UNAVAILABLE", "RT_INTERNAL", "RT_LIMIT"],
  ...[Codes.unreachable, Codes.timeout, Codes.badAnswer],
]);

/** Every failure of this module: act on `code`, show the sentence that belongs to it. */
export class UnionhallError extends Error {
  override readonly name = "UnionhallError";
  readonly code: string;
  /** Parameters of the code, such as `field`, `max` or `retryAfterS`. */
  readonly extensions: Readonly<Record<string, unknown>>;
  readonly path: readonly (string | number)[] | undefined;

  constructor(
    code: string,
    extensions: Readonly<Record<string, unknown>> = {},
    path?: readonly (string | number)[],
  ) {
    super(code);
    this.code = code;
    this.extensions = extensions;
    this.path = path;
  }

  /** Whether the same call may succeed later; send it with the same client key. */
  get isPassing(): boolean {
    return PASSING.has(this.code);
  }

  /** How long the server asks to wait, in milliseconds; 0 when it does not say. */
  get retryAfterMs(): number {
    const seconds = this.extensions["retryAfterS"];
    return typeof seconds === "number" && seconds > 0 ? seconds * 1000 : 0;
  }

  /** From the first of GraphQL's errors. The message is not kept: it may quote what was typed. */
  static of(errors: readonly GraphQLErrorLike[]): UnionhallError {
    const { code, ...rest } = errors[0]?.extensions ?? {};
    return new UnionhallError(typeof code === "string" ? code : "internal", rest, errors[0]?.path);
  }
}

/** An error of the caller's own function, told as an event listener's is. */
export function report(error: unknown): void {
  if (typeof reportError === "function") reportError(error);
  else
    queueMicrotask(() => {
      throw error;
    });
}
