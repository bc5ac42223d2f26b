import { Codes, UnionhallError } from "@unionhall/sdk";
import { speech } from "./languages";

/** What the server or the network refused, with its stable code (docs/errors.md). */
export type Refusal = UnionhallError;

const LOST: ReadonlySet<string> = new Set(["not_found", "forbidden", "RT_FORBIDDEN"]);
const ENDED: ReadonlySet<string> = new Set(["access.unauthenticated", "access.session_over"]);
const CUT: ReadonlySet<string> = new Set([Codes.unreachable, Codes.timeout, Codes.badAnswer]);

export const refusalOf = (thrown: unknown): Refusal =>
  thrown instanceof UnionhallError ? thrown : new UnionhallError("internal");
/** It is not there, or no longer ours to see: forget it. */
export const isLost = (refusal: Refusal): boolean => LOST.has(refusal.code);
/** Nobody is signed in any more. */
export const isEnded = (refusal: Refusal): boolean => ENDED.has(refusal.code);
/** There is no network, or the server is away: nothing was refused. */
export const isCut = (refusal: Refusal): boolean => CUT.has(refusal.code);

/** The sentence for people, in their language; every unknown code is "something broke". */
export function sentence(refusal: Refusal): string {
  if (isCut(refusal)) return speech.t("shell.sentences.unsent");
  const key = `errors.${refusal.code.replaceAll(".", "-")}`;
  const said = speech.te(key) ? key : "errors.internal";
  return speech.t(said, { ...refusal.extensions });
}
