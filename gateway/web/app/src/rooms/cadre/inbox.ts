import { UnionhallError } from "@unionhall/sdk";
import { onScopeDispose, ref } from "vue";
import { Inbox, InboxLive, InboxPlace, type InboxLiveSubscription, type InboxQuery } from "@/generated/cadre";
import { client } from "@/shell/link";
import { usePaging, type Page } from "@/shell/paging";

type Node = NonNullable<InboxQuery["inboxNotices"]>["edges"][number]["node"];
/** A notice in the inbox, with one's own receipts. */
export type Received = Node & { readonly id: string };
type InboxEvent = InboxLiveSubscription["inboxEvents"];

export const PAGE_ROWS = 50;
const TOGETHER_MS = 150; // several facts about notices within this are read once

/** A union's inbox, live: newest first; gone within a second when the seat ends. */
export function useInbox(unionId: string, told: (event: InboxEvent) => void) {
  const hasNews = ref(false);
  let isLost = false;
  let place: string | null = null;
  let reading: Promise<Page<Received>> = Promise.resolve(null);
  let timer = 0;

  async function read(after: string | null): Promise<Page<Received>> {
    // The place comes first: what is published in between is then told twice, and never not at all.
    if (after === null) place = (await client.query(InboxPlace, { unionId })).inboxPosition;
    const { inboxNotices } = await client.query(Inbox, { unionId, after });
    if (isLost || !inboxNotices) throw new UnionhallError("not_found");
    const edges = inboxNotices.edges.map(({ node }) => ({ node: { ...node, id: node.notice.id } }));
    return { edges, pageInfo: inboxNotices.pageInfo };
  }
  const paging = usePaging((after) => {
    if (after === null) hasNews.value = false;
    const page = read(after);
    if (after === null) reading = page;
    return page;
  });

  function lose(): void {
    isLost = true;
    paging.nodes.value = [];
    paging.stage.value = "lost";
  }

  function take(event: InboxEvent): void {
    told(event);
    clearTimeout(timer);
    // Further down, a list that begins anew would jump under the thumb.
    if (paging.nodes.value.length > PAGE_ROWS) hasNews.value = true;
    else timer = window.setTimeout(() => void paging.again(), TOGETHER_MS);
  }

  let isFirst = true;
  const following = client.follow(InboxLive, { unionId }, {
    snapshot: async () => {
      if (!isFirst) void paging.again();
      isFirst = false;
      await reading;
      return place;
    },
    next: ({ inboxEvents }) => take(inboxEvents),
    forget: lose,
  });
  onScopeDispose(() => {
    clearTimeout(timer);
    following.stop();
    lose();
  });

  /** One's own receipt is shown at once; the server has it already. */
  function mark(id: string, receipts: Partial<Pick<Received, "readAt" | "confirmedAt">>): void {
    paging.nodes.value = paging.nodes.value.map((one) => (one.id === id ? { ...one, ...receipts } : one));
  }
  return { ...paging, hasNews, mark };
}
