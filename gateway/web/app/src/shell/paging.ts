import { ref, shallowRef, watch, type Ref, type ShallowRef } from "vue";
import { useReading, type Stage } from "./reading";
import { refusalOf, type Refusal } from "./refusal";

/** One page of a Relay connection; null where the list is not to be seen. */
export type Page<Node> = {
  readonly edges: readonly { readonly node: Node }[];
  readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string | null };
} | null;

export interface Paging<Node> {
  readonly nodes: ShallowRef<readonly Node[]>;
  readonly stage: Ref<Stage>;
  readonly refusal: ShallowRef<Refusal | null>;
  readonly hasMore: Ref<boolean>;
  readonly isMoreComing: Ref<boolean>;
  /** Fetch the next page; does nothing while one is coming. */
  readonly more: () => Promise<void>;
  /** From the start. */
  readonly again: () => Promise<void>;
  /** Another list now: nothing of the one before is shown while it comes. */
  readonly anew: () => void;
}

/** A list that is fetched page by page, each from the cursor at the end of the one before. */
export function usePaging<Node>(read: (after: string | null) => Promise<Page<Node>>, options: { isStarted?: boolean } = {}): Paging<Node> {
  const nodes = shallowRef<readonly Node[]>([]);
  const hasMore = ref(false);
  const isMoreComing = ref(false);
  let after: string | null = null;
  let list = 0;

  function take(page: Page<Node>, before: readonly Node[]): void {
    nodes.value = [...before, ...(page?.edges.map((edge) => edge.node) ?? [])];
    hasMore.value = page?.pageInfo.hasNextPage ?? false;
    after = page?.pageInfo.endCursor ?? null;
  }

  const { stage, refusal, again } = useReading(async () => {
    const mine = ++list;
    const page = await read(null);
    if (mine === list) take(page, []);
    return true;
  }, options);

  function clear(): void {
    list += 1;
    nodes.value = [];
    hasMore.value = false;
  }
  function anew(): void {
    clear();
    stage.value = "loading";
    void again();
  }
  // The right is gone: nothing of it stays in memory either.
  watch(stage, (now) => now === "lost" && clear(), { flush: "sync" });

  async function more(): Promise<void> {
    if (isMoreComing.value || !hasMore.value) return;
    isMoreComing.value = true;
    const mine = list;
    try {
      const page = await read(after);
      if (mine === list) take(page, nodes.value);
    } catch (thrown) {
      // What is there stays; scrolling on tries again.
      refusal.value = refusalOf(thrown);
    } finally {
      isMoreComing.value = false;
    }
  }
  return { nodes, stage, refusal, hasMore, isMoreComing, more, again, anew };
}
