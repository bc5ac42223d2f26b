// What the peers share: where they listen, and the words they speak.
import { readFileSync } from "node:fs";

export const HOST = "127.0.0.1";
export const PORT = Number(process.env.PORT);
export const BACKLOG = 4096;

/** The schema of this name, as the strawberry peer of the same workload has it. */
export function sdl(name) {
  return readFileSync(new URL(`${name}.graphql`, import.meta.url), "utf8");
}
