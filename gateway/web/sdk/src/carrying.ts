import { NOBODY_THERE } from "./auth.js";
import type { Request } from "./http.js";
import type { Vector } from "./positions.js";
import type { Socket } from "./socket.js";

/** One subscription on one socket. */
export class Attachment {
  readonly socket: Socket;
  isLive = false;
  /** The hash it was sent as; undefined: as text. */
  sha256: string | undefined;
  end: () => void = () => {};

  constructor(socket: Socket) {
    this.socket = socket;
  }
}

/** The operation as it is sent: with the places of the moment in which it is. */
export function requestOf(
  query: string,
  sha256: string | undefined,
  variables: unknown,
  vector: Vector,
  isNobodyThere: () => boolean,
): Request {
  return {
    query,
    variables: variables ?? {},
    // Read each time when graphql-ws sends it: after a reconnect it says where we are by then.
    get extensions() {
      const rt = {
        // An empty `since` would hide the argument `after`.
        ...(vector.isEmpty ? {} : { since: vector.since }),
        ...(isNobodyThere() ? NOBODY_THERE.rt : {}),
      };
      return { ...hashOf(sha256), ...(Object.keys(rt).length ? { rt } : {}) };
    },
  };
}

/** The extension that names a document, where it goes as its hash. */
export function hashOf(sha256: string | undefined): object {
  return sha256 === undefined ? {} : { persistedQuery: { version: 1, sha256Hash: sha256 } };
}

/** The argument `after`, where a schema-minded caller has given it: from then on the vector counts. */
export function afterOf(variables: unknown): string | null {
  const after = (variables as { after?: unknown } | null | undefined)?.after;
  return typeof after === "string" ? after : null;
}

/** FNV-1a, 32 bits: short, and the same in every client. Who collides only shares a name. */
export function nameOf(text: string): string {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return (hash >>> 0).toString(36).padStart(7, "0");
}
