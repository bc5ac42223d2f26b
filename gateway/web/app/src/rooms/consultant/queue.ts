import { onScopeDispose } from "vue";
import { Queue, QueueNews, type ConsultationService, type EntryFragment as Entry } from "@/generated/consultant";
import { client } from "@/shell/link";
import { usePaging } from "@/shell/paging";

export type { Entry };

/** What waits for this window, oldest first, live. `came`: a request that was not there before. */
export function useQueue(service: ConsultationService, tell: { came: () => void; lost: () => void }) {
  const list = usePaging(async (after) => (await client.query(Queue, { after })).queue);

  /** Into its place by age; what lies beyond the pages that were fetched comes with its page. */
  function put(entry: Entry): void {
    const others = list.nodes.value.filter((each) => each.id !== entry.id);
    const before = others.findIndex((each) => each.requestedAt > entry.requestedAt);
    if (before >= 0) list.nodes.value = [...others.slice(0, before), entry, ...others.slice(before)];
    else if (!list.hasMore.value) list.nodes.value = [...others, entry];
  }

  const remove = (id: string): void => void (list.nodes.value = list.nodes.value.filter((each) => each.id !== id));

  /** Being passed on to the service: it leaves one queue for the other, in whichever order that is told. */
  const passing = new Set<string>();

  const following = client.follow(QueueNews, { service }, {
    snapshot: async () => {
      await list.again();
      passing.clear();
      return null;
    },
    next: ({ queueEvents: event }) => {
      if (event.__typename === "RequestQueued") {
        if (!list.nodes.value.some((each) => each.id === event.entry.id)) tell.came();
        put(event.entry);
      } else if (!passing.delete(event.caseId)) {
        remove(event.caseId);
      }
    },
    forget: tell.lost,
  });
  onScopeDispose(() => {
    following.stop();
    list.nodes.value = [];
  });
  return { ...list, put, remove, passing };
}
