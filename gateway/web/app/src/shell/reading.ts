import { onScopeDispose, ref, shallowRef, watch, type Ref, type ShallowRef } from "vue";
import { forgetEverything } from "./forgetting";
import { connection } from "./link";
import { onNews } from "./news";
import { isCut, isEnded, isLost, refusalOf, type Refusal } from "./refusal";

/** What a page shows while it has no data, or instead of them. */
export type Stage = "loading" | "there" | "offline" | "lost" | "failed";

export interface Reading<Data> {
  readonly data: ShallowRef<Data | null>;
  readonly stage: Ref<Stage>;
  readonly refusal: ShallowRef<Refusal | null>;
  /** Read anew; what is shown stays until the answer comes. */
  readonly again: () => Promise<void>;
  /** The right is gone: show nothing of it any more. */
  readonly lose: () => void;
}

/**
 * Reads a page's data: with every state it can be in, and again by itself when the network is back,
 * or when the server says that one's rights have changed.
 * `isStarted: false` leaves the first reading to the caller, such as a subscription's snapshot.
 */
export function useReading<Data>(read: () => Promise<Data>, { isStarted = true } = {}): Reading<Data> {
  const data = shallowRef<Data | null>(null);
  const stage = ref<Stage>("loading");
  const refusal = shallowRef<Refusal | null>(null);
  let turn = 0;
  let isMissed = false; // the last answer did not come: what is shown may be old

  async function again(): Promise<void> {
    const mine = ++turn;
    if (data.value === null) stage.value = "loading";
    try {
      const answer = await read();
      if (mine !== turn) return;
      data.value = answer;
      stage.value = "there";
      refusal.value = null;
      isMissed = false;
    } catch (thrown) {
      if (mine === turn) fail(refusalOf(thrown));
    }
  }

  function fail(why: Refusal): void {
    refusal.value = why;
    isMissed = why.isPassing;
    if (isEnded(why)) void forgetEverything("ended");
    else if (isLost(why)) lose();
    // What was there stays on the screen through a passing trouble.
    else if (stage.value !== "there" || !why.isPassing) stage.value = isCut(why) ? "offline" : "failed";
  }

  function lose(): void {
    turn += 1;
    data.value = null;
    stage.value = "lost";
  }

  const stop = watch(
    () => connection.state,
    (state) => {
      if (state === "live" && (isMissed || stage.value === "failed")) void again();
    },
  );
  onNews((news) => {
    if (news?.kind === "AUTHORITY_CHANGED" && stage.value === "there") void again();
  });
  onScopeDispose(() => {
    stop();
    turn += 1;
    data.value = null;
  });
  if (isStarted) void again();
  return { data, stage, refusal, again, lose };
}
