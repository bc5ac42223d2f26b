import { closeForGood } from "./link";

/** Why the page was emptied; the sign-in page says it. */
export type Ending = "signed-out" | "ended";

const ENDING = "unionhall.ending";
const channel = new BroadcastChannel("unionhall");
let isLeaving = false;
let isAskedFor = false;

/** Somebody signs out here: the socket may hear of it before the answer comes. */
export function expectEnding(isExpected: boolean): void {
  isAskedFor = isExpected;
}

/**
 * Nothing personal is left in this browser: outbox and drafts are deleted, and the page is loaded
 * anew, which is the one sure way to empty its memory. Other tabs of the app do the same.
 */
export async function forgetEverything(why: Ending, { isTold = false } = {}): Promise<void> {
  if (isLeaving) return;
  isLeaving = true;
  // What can be seen goes first: the rest may take a moment.
  document.getElementById("app")?.setAttribute("hidden", "");
  if (!isTold) channel.postMessage(why);
  await closeForGood();
  sessionStorage.clear();
  sessionStorage.setItem(ENDING, isAskedFor ? "signed-out" : why);
  location.replace("/sign-in");
}

/** Why the page was emptied before this one, told once. */
export function takeEnding(): Ending | null {
  const why = sessionStorage.getItem(ENDING) as Ending | null;
  sessionStorage.removeItem(ENDING);
  return why;
}

channel.addEventListener("message", (event: MessageEvent<Ending>) => void forgetEverything(event.data, { isTold: true }));
// A page that comes back from the browser's memory after a sign-out must not show what it showed.
addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});
