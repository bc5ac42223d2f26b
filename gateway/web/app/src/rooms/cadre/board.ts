import { UnionhallError, type Following } from "@unionhall/sdk";
import { onScopeDispose, ref, shallowRef } from "vue";
import { Board, BoardLive, BoardParts, type BoardQuery, type CountsFragment } from "@/generated/cadre";
import { forgetEverything } from "@/shell/forgetting";
import { client } from "@/shell/link";
import type { Stage } from "@/shell/reading";
import { isCut, isEnded, isLost, refusalOf, type Refusal } from "@/shell/refusal";

export type Counts = CountsFragment;
type BoardNotice = NonNullable<BoardQuery["notice"]>;

const PARTS_EVERY_MS = 2_000; // the total comes with each event; by zone and line it is asked for

/** The receipts of a notice, live: the total as it is told, the parts soon after. */
export function useBoard(id: string) {
  const notice = shallowRef<BoardNotice | null>(null);
  const total = shallowRef<Counts | null>(null);
  const byZone = shallowRef<readonly Counts[]>([]);
  const byLine = shallowRef<readonly Counts[]>([]);
  /** Grows whenever the parts were read anew: who is silent may have changed too. */
  const turn = ref(0);
  const stage = ref<Stage>("loading");
  const refusal = shallowRef<Refusal | null>(null);
  let following: Following | null = null;
  let timer = 0;

  async function snapshot(): Promise<string> {
    const answer = await client.query(Board, { id });
    if (!answer.notice || !answer.receiptBoard) throw new UnionhallError("not_found");
    notice.value = answer.notice;
    total.value = answer.receiptBoard.total;
    takeParts(answer.receiptBoard);
    stage.value = "there";
    return answer.receiptBoard.position;
  }

  function takeParts(board: { readonly byZone: readonly Counts[]; readonly byLine: readonly Counts[] }): void {
    byZone.value = board.byZone;
    byLine.value = board.byLine;
    turn.value += 1;
  }

  async function readParts(): Promise<void> {
    timer = 0;
    try {
      const { receiptBoard } = await client.query(BoardParts, { id });
      if (receiptBoard && stage.value === "there") takeParts(receiptBoard);
    } catch (thrown) {
      const why = refusalOf(thrown);
      // A passing trouble is mended by the next event, or by the snapshot after it.
      if (isLost(why) || isEnded(why)) fail(why);
    }
  }

  function fail(why: Refusal): void {
    refusal.value = why;
    if (isEnded(why)) void forgetEverything("ended");
    else if (isLost(why)) lose();
    else if (stage.value !== "there" || !why.isPassing) stage.value = isCut(why) ? "offline" : "failed";
  }

  /** The right is gone: nothing of it stays, neither on the screen nor in memory. */
  function lose(): void {
    following?.stop();
    clearTimeout(timer);
    stage.value = "lost";
    notice.value = total.value = null;
    byZone.value = byLine.value = [];
  }

  function again(): void {
    following?.stop();
    if (stage.value !== "there") stage.value = "loading";
    following = client.follow(BoardLive, { id }, {
      snapshot: () =>
        snapshot().catch((thrown: unknown) => {
          const why = refusalOf(thrown);
          // Without a network the connection goes on trying; the page says so meanwhile.
          if (isCut(why) && stage.value === "loading") stage.value = "offline";
          throw why;
        }),
      next: ({ receiptBoardEvents: event }) => {
        if (event.counts) {
          total.value = event.counts;
          timer ||= window.setTimeout(() => void readParts(), PARTS_EVERY_MS);
        } else {
          void snapshot().catch((thrown: unknown) => fail(refusalOf(thrown)));
        }
      },
      forget: lose,
      error: fail,
    });
  }

  again();
  onScopeDispose(lose);
  return { notice, total, byZone, byLine, turn, stage, refusal, again };
}
