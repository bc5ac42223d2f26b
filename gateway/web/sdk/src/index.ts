/** Client of Unionhall: see docs/sdk.md. */
export { cookie, token, type Attendance, type Auth, type AuthMaker } from "./auth.js";
export { connect, Client, type CallOptions, type ConnectOptions, type SignIn } from "./client.js";
export {
  trusted,
  type Document,
  type TrustedDocument,
  type TypedDocumentNode,
  type TypedDocumentString,
} from "./documents.js";
export { Codes, UnionhallError, type GraphQLErrorLike } from "./errors.js";
export type { Event, Following, FollowOptions, FollowState } from "./follow.js";
export type { Result } from "./http.js";
export type { ConnectionState } from "./live.js";
export {
  memoryStore,
  Outbox,
  type Outcome,
  type OutboxEntry,
  type OutboxOptions,
  type OutboxStore,
} from "./outbox.js";
export { bearer, type BearerOptions, type KeptSession, type SessionStore } from "./session.js";
export type { EndReason } from "./socket.js";
export { uuid7 } from "./uuid.js";
export type { Backoff } from "./waiting.js";
export type { Watchable } from "./watched.js";
