/** What the code generators' documents have in common: the types of variables and result. */
interface Decorated<Data, Variables> {
  readonly __apiType?: (variables: Variables) => Data;
}

/** graphql-codegen's `TypedDocumentString`, with `documentMode: "string"`. */
export interface TypedDocumentString<Data, Variables> extends Decorated<Data, Variables> {
  readonly __meta__?: Readonly<Record<string, unknown>> | undefined;
  toString(): string;
}

/** `TypedDocumentNode`: sent as the source that it was parsed from. */
export interface TypedDocumentNode<Data, Variables> extends Decorated<Data, Variables> {
  readonly kind: "Document";
  readonly loc?: { readonly source: { readonly body: string } };
  readonly __meta__?: Readonly<Record<string, unknown>>;
}

/** An operation's text and its SHA-256, by which the server may know it (see `trusted`). */
export interface TrustedDocument<Data, Variables> {
  readonly text: string;
  readonly sha256?: string;
  /** Types only; never there. */
  readonly __types?: (variables: Variables) => Data;
}

/** An operation: a plain string, or one that carries the types of its variables and result. */
export type Document<Data = any, Variables = any> =
  | string
  | TrustedDocument<Data, Variables>
  | TypedDocumentString<Data, Variables>
  | TypedDocumentNode<Data, Variables>;

/** The variables, which may be left out where the operation needs none; then options. */
export type Arguments<Variables, Options> = {} extends Variables
  ? [variables?: Variables, options?: Options]
  : [variables: Variables, options?: Options];

/** A typed operation; with its SHA-256 (hex) it may be sent as that alone. */
export function trusted<Data, Variables>(text: string, sha256?: string): TrustedDocument<Data, Variables> {
  return sha256 === undefined ? { text } : { text, sha256 };
}

const SHA256 = /^[0-9a-f]{64}$/;

/** The document's text. */
export function textOf(document: Document): string {
  if (typeof document === "string") return document;
  if ("text" in document) return document.text;
  if ("kind" in document && document.kind === "Document") {
    const body = document.loc?.source.body;
    if (body === undefined) throw new TypeError("a DocumentNode without its source: print it first");
    return body;
  }
  return document.toString();
}

/** The document's SHA-256, if it carries one (graphql-codegen: `hashAlgorithm: "sha256"`). */
export function hashOf(document: Document): string | undefined {
  if (typeof document === "string") return undefined;
  const found =
    "text" in document ? document.sha256 : "__meta__" in document ? document.__meta__?.["hash"] : undefined;
  return typeof found === "string" && SHA256.test(found) ? found : undefined;
}

/** Spells operations for the wire, and remembers which hashes the server does not know. */
export class Spelling {
  readonly #isTrusting: boolean;
  readonly #unknown = new Set<string>();

  constructor(isTrusting: boolean) {
    this.#isTrusting = isTrusting;
  }

  /** `query` is empty when the hash stands for it. */
  spell(document: Document): { query: string; sha256?: string } {
    const sha256 = this.#isTrusting ? hashOf(document) : undefined;
    if (sha256 === undefined || this.#unknown.has(sha256)) return { query: textOf(document) };
    return { query: "", sha256 };
  }

  /** The server does not know this hash: from now on the text is sent. False: the text was sent. */
  sendText(sha256: string | undefined): boolean {
    if (sha256 !== undefined) this.#unknown.add(sha256);
    return sha256 !== undefined;
  }
}
