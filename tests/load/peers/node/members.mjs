// How a peer knows a member, as peers/members.py does: a token with a signature, and no more.
import { createHmac, timingSafeEqual } from "node:crypto";

const key = process.env.PEER_KEY;

/** Whether the token is one of the load client's. */
export function isMember(token) {
  if (typeof token !== "string") return false;
  const [member, signature = ""] = token.split(".", 2);
  const given = Buffer.from(signature);
  const wanted = Buffer.from(createHmac("sha256", key).update(member).digest("hex"));
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}
