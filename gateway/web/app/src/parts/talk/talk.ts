import { UnionhallError, type Following, type OutboxEntry } from "@unionhall/sdk";
import { computed, onScopeDispose, reactive, ref, shallowRef, type Ref } from "vue";
import { Earlier, MarkDelivered, MarkRead, Say, Snapshot, Talk, Type } from "@/generated/talk";
import type { LineFragment as Line, SayMutationVariables, TalkSubscription } from "@/generated/talk";
import { forgetEverything } from "@/shell/forgetting";
import { client, theOutbox } from "@/shell/link";
import type { Stage } from "@/shell/reading";
import { isCut, isEnded, isLost, refusalOf, type Refusal } from "@/shell/refusal";
import { drafts } from "./drafts";

export type { Line };
export type Role = Line["role"];
type TalkEvent = TalkSubscription["conversationEvents"];

/** One's own message that is not in the conversation yet. */
export interface Unsent {
  readonly clientKey: string;
  readonly text: string;
  readonly at: string;
  /** Null while it is on its way; it goes on by itself. */
  readonly refusal: Refusal | null;
}

const TYPING_SHOWN_MS = 6_000; // docs/getting-started.md: show it for 6 seconds …
const TYPING_SENT_EVERY_MS = 3_000; // … and it is passed on once in 3

/** A conversation, live: what was said, what is under way, and how far the other one has come. */
export function useTalk(id: string, own: Role, changed: (event: TalkEvent["__typename"]) => void) {
  const lines = shallowRef<readonly Line[]>([]);
  const stage = ref<Stage>("loading");
  const refusal = shallowRef<Refusal | null>(null);
  const other = reactive({ isPresent: false, isTyping: false, deliveredSeq: 0, readSeq: 0 });
  const isOpen = ref(true);
  const firstUnreadSeq = ref<number | null>(null);
  const earlierCursor = ref<string | null>(null);
  const isEarlierComing = ref(false);
  const marks = useMarks(id);
  const { unsent, send, retry, drop } = useUnsent(id, lines);
  let typingTimer = 0;
  let typingSentAt = 0;
  let following: Following | null = null;

  async function snapshot(): Promise<string | null> {
    const { conversation } = await client.query(Snapshot, { id });
    if (!conversation) throw new UnionhallError("not_found");
    const newest = conversation.messages.edges.map((edge) => edge.node);
    const first = newest[0]?.seq ?? 0;
    const known = lines.value;
    // What was shown before is kept if it goes on without a hole; else it is fetched again on the way up.
    const joins = known.length > 0 && (known.at(-1)?.seq ?? 0) >= first - 1;
    lines.value = joins ? merged(known, newest) : newest;
    if (!joins) earlierCursor.value = conversation.messages.pageInfo.hasPreviousPage ? conversation.messages.pageInfo.startCursor : null;
    isOpen.value = conversation.isOpen;
    other.isPresent = conversation.otherIsPresent;
    other.deliveredSeq = conversation.otherDeliveredSeq;
    other.readSeq = conversation.otherReadSeq;
    if (stage.value !== "there") firstUnreadSeq.value = newest.find((line) => line.role !== own && line.seq > conversation.readSeq)?.seq ?? null;
    marks.startAt(conversation.deliveredSeq, conversation.readSeq);
    marks.delivered(lines.value.at(-1)?.seq ?? 0);
    stage.value = "there";
    return conversation.position;
  }

  function take(event: TalkEvent): void {
    switch (event.__typename) {
      case "MessageSent":
        lines.value = merged(lines.value, [event.message]);
        if (event.message.role !== own) {
          other.isTyping = false;
          marks.delivered(event.message.seq);
        }
        break;
      case "MarksAdvanced":
        if (event.role === own) break;
        other.deliveredSeq = Math.max(other.deliveredSeq, event.deliveredSeq);
        other.readSeq = Math.max(other.readSeq, event.readSeq);
        break;
      case "TypingSignalled":
        if (event.role !== own) showTyping();
        break;
      case "PresenceChanged":
        if (event.joined.some((role) => role !== own)) other.isPresent = true;
        if (event.left.some((role) => role !== own)) other.isPresent = other.isTyping = false;
        break;
      case "CaseClosed":
      case "CaseReopened":
        isOpen.value = event.__typename === "CaseReopened";
        changed(event.__typename);
        break;
      default:
        changed(event.__typename);
    }
  }

  function showTyping(): void {
    other.isTyping = true;
    clearTimeout(typingTimer);
    typingTimer = window.setTimeout(() => (other.isTyping = false), TYPING_SHOWN_MS);
  }

  function fail(why: Refusal): void {
    refusal.value = why;
    if (isEnded(why)) void forgetEverything("ended");
    else if (isLost(why)) lose();
    else if (stage.value !== "there" || !why.isPassing) stage.value = isCut(why) ? "offline" : "failed";
  }

  /** The right is gone: nothing of it stays, neither on the screen nor in memory. */
  function lose(): void {
    stage.value = "lost";
    lines.value = [];
    drafts.delete(id);
    following?.stop();
  }

  function again(): void {
    following?.stop();
    if (stage.value !== "there") stage.value = "loading";
    following = client.follow(Talk, { id }, {
      snapshot: () => snapshot().catch((thrown: unknown) => {
        const why = refusalOf(thrown);
        // Without a network the connection goes on trying; the page says so meanwhile.
        if (isCut(why) && stage.value === "loading") stage.value = "offline";
        throw why;
      }),
      next: ({ conversationEvents }) => take(conversationEvents),
      forget: lose,
      error: fail,
    });
  }

  async function earlier(): Promise<void> {
    if (isEarlierComing.value || earlierCursor.value === null) return;
    isEarlierComing.value = true;
    try {
      const { conversation } = await client.query(Earlier, { id, before: earlierCursor.value });
      if (!conversation || stage.value !== "there") return;
      const { edges, pageInfo } = conversation.messages;
      lines.value = merged(lines.value, edges.map((edge) => edge.node));
      earlierCursor.value = pageInfo.hasPreviousPage ? pageInfo.startCursor : null;
    } catch {
      // The next scroll upwards tries again.
    } finally {
      isEarlierComing.value = false;
    }
  }

  /** One is typing: said at most every three seconds, and never insisted on. */
  function typing(): void {
    if (Date.now() - typingSentAt < TYPING_SENT_EVERY_MS) return;
    typingSentAt = Date.now();
    client.mutate(Type, { input: { conversationId: id } }).catch(() => {});
  }

  again();
  onScopeDispose(() => {
    following?.stop();
    clearTimeout(typingTimer);
    lines.value = [];
  });
  const hasEarlier = computed(() => earlierCursor.value !== null);
  return { lines, unsent, stage, refusal, other, isOpen, firstUnreadSeq, hasEarlier, again, earlier, send, retry, drop, typing, shown: marks.read };
}

/** By number, each once. */
function merged(known: readonly Line[], more: readonly Line[]): readonly Line[] {
  const bySeq = new Map([...known, ...more].map((line) => [line.seq, line]));
  return [...bySeq.values()].sort((one, other) => one.seq - other.seq);
}

/** One's own messages on their way: in the outbox until the server has them, each under one client key. */
function useUnsent(id: string, lines: Ref<readonly Line[]>) {
  const waiting = shallowRef<readonly OutboxEntry[]>([]);
  const refused = shallowRef<readonly Unsent[]>([]);
  const outbox = theOutbox();
  const textOf = (entry: OutboxEntry): string => (entry.variables as SayMutationVariables).input.text;

  const stopWatching = outbox.entries.watch((entries) => (waiting.value = entries.filter((entry) => entry.lane === id)));
  const stopHearing = outbox.settled((entry, outcome) => {
    if (entry.lane !== id) return;
    if ("data" in outcome) {
      const { sendMessage } = outcome.data as { sendMessage: { message: Line } | null };
      // Often the answer is here before the event.
      if (sendMessage) lines.value = merged(lines.value, [sendMessage.message]);
    } else {
      refused.value = [...refused.value, { ...shownOf(entry), refusal: outcome.error }];
    }
  });
  onScopeDispose(() => {
    stopWatching();
    stopHearing();
  });

  const shownOf = (entry: OutboxEntry): Unsent => ({
    clientKey: entry.clientKey,
    text: textOf(entry),
    at: new Date(entry.at).toISOString(),
    refusal: null,
  });
  const send = (text: string): void =>
    void outbox.send(Say, (clientKey) => ({ input: { conversationId: id, text, clientKey } }), { lane: id }).catch(() => {});
  const drop = (one: Unsent): void => void (refused.value = refused.value.filter((each) => each !== one));
  const retry = (one: Unsent): void => {
    drop(one);
    send(one.text);
  };
  const unsent = computed<readonly Unsent[]>(() => {
    const arrived = new Set(lines.value.map((line) => line.clientKey));
    return [...refused.value, ...waiting.value.filter((entry) => !arrived.has(entry.clientKey)).map(shownOf)];
  });
  return { unsent, send, retry, drop };
}

/** How far one has received and read, told to the server in steps and never backwards. */
function useMarks(id: string) {
  const told = { delivered: 0, read: 0 };

  async function tell(kind: "delivered" | "read", seq: number): Promise<void> {
    if (seq <= told[kind]) return;
    const before = told[kind];
    told[kind] = seq;
    if (kind === "read") told.delivered = Math.max(told.delivered, seq);
    const input = { conversationId: id, seq };
    await (kind === "read" ? client.mutate(MarkRead, { input }) : client.mutate(MarkDelivered, { input })).catch(() => {
      // Told again with the next message, or when the conversation is next read.
      if (told[kind] === seq) told[kind] = before;
    });
  }
  return {
    startAt(delivered: number, read: number): void {
      told.delivered = delivered;
      told.read = read;
    },
    delivered: (seq: number): void => void tell("delivered", seq),
    /** It is on the screen before a person. */
    read: (seq: number): void => void tell("read", seq),
  };
}
