import { UnionhallError, uuid7 } from "@unionhall/sdk";
import { computed, inject, onScopeDispose, provide, reactive, ref, shallowRef, watch, type InjectionKey, type Ref } from "vue";
import { useI18n } from "vue-i18n";
import { Accept, Decline, RunningCases, TakeNext, type CaseCardFragment as CaseCard, type WindowCardFragment as Window } from "@/generated/consultant";
import { useActing } from "@/shell/acting";
import { client } from "@/shell/link";
import { onNews } from "@/shell/news";
import { useReading } from "@/shell/reading";
import { sentence, type Refusal } from "@/shell/refusal";
import { say } from "@/shell/saying";
import { useChime, useTitle } from "./alerts";
import { useColumns } from "./columns";
import { useQueue } from "./queue";

export type { CaseCard, Window };
export const conversationOf = (one: CaseCard): string | null => one.conversations.edges[0]?.node.id ?? null;

const GONE: ReadonlySet<string> = new Set(["consultations.no_longer_waiting", "consultations.not_addressed", "not_found"]);

/** What the desk's pages share: the queue, the running cases, the columns, and what is unread. */
export function makeDesk(own: Ref<Window>, isCovered: Ref<boolean>, lost: () => void) {
  const { t } = useI18n();
  const columns = useColumns();
  const chime = useChime();
  const running = useRunning((one) => {
    if (!one || !isRead(one.id)) chime();
  });
  const unseen = ref(0); // requests that came while nobody looked
  const isSeen = ref(document.visibilityState === "visible");
  const isLooking = computed(() => isSeen.value && !isCovered.value);
  const queue = useQueue(own.value.consultant.service, {
    lost,
    came: () => {
      if (!isLooking.value) unseen.value += 1;
      chime();
    },
  });

  const seen = (): void => void (isSeen.value = document.visibilityState === "visible");
  document.addEventListener("visibilitychange", seen);
  onScopeDispose(() => document.removeEventListener("visibilitychange", seen));
  watch(isLooking, (isThere) => {
    if (isThere) unseen.value = 0;
  });

  /** On the screen before somebody: it is being read, and needs no alert. */
  const isRead = (caseId: string): boolean => isLooking.value && columns.shown.value.includes(caseId);
  useTitle(() => {
    const waiting = running.cases.value.filter((one) => !isRead(one.id)).map((one) => running.unreadOf(one));
    return waiting.reduce((sum, each) => sum + each, unseen.value);
  });
  onNews((news) => {
    if (news?.kind === "CASE_RECEIVED" || news?.kind === "CASE_REOPENED") {
      chime();
      say(t(`consultant.said.${news.kind}`));
    }
  });

  const isFull = computed(() => running.cases.value.length >= own.value.capacity);
  return { own, columns, running, queue, isFull, ...useTaking(queue, running, columns) };
}

export type Desk = ReturnType<typeof makeDesk>;
const KEY: InjectionKey<Desk> = Symbol("desk");
export const offerDesk = (desk: Desk): void => provide(KEY, desk);
export function useDesk(): Desk {
  const desk = inject(KEY);
  if (!desk) throw new Error("outside the consultant's room");
  return desk;
}

/** The running cases, the newest first, and how much is unread in each; `wakened` when the first of it comes. */
function useRunning(wakened: (one: CaseCard | null) => void) {
  const reading = useReading(async () => {
    const { myCases } = await client.query(RunningCases);
    if (!myCases) throw new UnionhallError("not_found");
    return myCases.edges.map((edge) => edge.node).filter((one) => one.role === "CONSULTANT");
  });
  /** By conversation, since the cases were read: these come often, and change nothing else. */
  const counts = reactive(new Map<string, number>());
  async function again(): Promise<void> {
    const before = [...counts];
    await reading.again();
    // What was told while the answer was under way is newer than the answer.
    for (const [conversation, unread] of before) if (counts.get(conversation) === unread) counts.delete(conversation);
  }
  const cases = computed<readonly CaseCard[]>(() => reading.data.value ?? []);
  function unreadOf(one: CaseCard): number {
    const conversation = one.conversations.edges[0]?.node;
    return conversation ? (counts.get(conversation.id) ?? conversation.unreadCount) : 0;
  }
  onNews((news) => {
    if (news?.conversationId && news.unreadCount != null) count(news.conversationId, news.unreadCount);
    else if (!news?.kind.startsWith("SESSION")) void again();
  });
  function count(conversation: string, unread: number): void {
    const one = cases.value.find((each) => conversationOf(each) === conversation) ?? null;
    const before = one ? unreadOf(one) : 0;
    counts.set(conversation, unread);
    if (before === 0 && unread > 0) wakened(one);
    if (!one) void again();
  }
  function adopt(one: CaseCard): void {
    reading.data.value = [one, ...cases.value.filter((each) => each.id !== one.id)];
  }
  return { cases, stage: reading.stage, refusal: reading.refusal, again, unreadOf, adopt };
}

/** Taking a request, passing it on: shown at once, one at a time. */
function useTaking(queue: ReturnType<typeof useQueue>, running: ReturnType<typeof useRunning>, columns: ReturnType<typeof useColumns>) {
  const { t } = useI18n();
  const takingId = ref<string | null>(null);
  /** Why the last one could not be taken; until the next is. */
  const whyNot = shallowRef<Refusal | null>(null);

  function taken(one: CaseCard): void {
    queue.remove(one.id);
    running.adopt(one);
    columns.open(one.id);
  }
  const accepting = useActing(async (id: string) => taken((await client.mutate(Accept, { input: { caseId: id } })).acceptRequest.case));
  const declining = useActing(async (id: string) => {
    queue.passing.add(id);
    try {
      queue.put((await client.mutate(Decline, { input: { caseId: id } })).declineRequest.entry);
    } catch (thrown) {
      queue.passing.delete(id);
      throw thrown;
    }
    say(t("consultant.said.declined"));
  });
  const takingNext = useActing(async () => {
    const { takeNextRequest } = await client.mutate(TakeNext, { input: { clientKey: uuid7() } });
    if (takeNextRequest.case) taken(takeNextRequest.case);
    else say(t("consultant.queue.none"));
  });

  async function upon(id: string, acting: typeof accepting): Promise<void> {
    if (takingId.value) return;
    takingId.value = id;
    whyNot.value = null;
    if (!(await acting.run(id))) {
      whyNot.value = acting.refusal.value;
      // Somebody was quicker: the sentence stays, the row goes.
      if (whyNot.value && GONE.has(whyNot.value.code)) queue.remove(id);
    }
    takingId.value = null;
  }
  async function takeNext(): Promise<void> {
    whyNot.value = null;
    if (!(await takingNext.run())) whyNot.value = takingNext.refusal.value;
  }
  const said = computed(() => (whyNot.value ? sentence(whyNot.value) : null));
  return {
    takingId,
    isTakingNext: takingNext.isRunning,
    whyNot: said,
    take: (id: string) => upon(id, accepting),
    decline: (id: string) => upon(id, declining),
    takeNext,
  };
}
