import { reactive } from "vue";

const SHOWN_MS = 4_000; // long enough to read a sentence twice

/** One short sentence about what has just happened, shown for a moment and read out. */
export const said = reactive({ text: "", turn: 0 });
let timer = 0;

export function say(text: string): void {
  said.text = text;
  said.turn += 1;
  clearTimeout(timer);
  timer = window.setTimeout(() => (said.text = ""), SHOWN_MS);
}
