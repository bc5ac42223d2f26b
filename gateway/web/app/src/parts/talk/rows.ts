import { isSameDay } from "@/shell/times";
import type { Line, Unsent } from "./talk";

/** One row of the log: a message, or one of one's own that is still on its way. */
export interface TalkRow {
  readonly key: string;
  readonly at: string;
  /** The first of its day. */
  readonly opensDay: boolean;
  /** The first that had not been read when the page was opened. */
  readonly isFirstNew: boolean;
  readonly line: Line | null;
  readonly unsent: Unsent | null;
}

/** Keyed by client key, so that a message stays the same row when its number comes. */
export function rowsOf(lines: readonly Line[], unsent: readonly Unsent[], firstUnreadSeq: number | null): readonly TalkRow[] {
  const rows: TalkRow[] = [];
  let before: string | null = null;
  const add = (key: string, at: string, line: Line | null, waiting: Unsent | null): void => {
    const opensDay = before === null || !isSameDay(before, at);
    rows.push({ key, at, opensDay, isFirstNew: line !== null && line.seq === firstUnreadSeq, line, unsent: waiting });
    before = at;
  };
  for (const line of lines) add(line.clientKey, line.sentAt, line, null);
  for (const one of unsent) add(one.clientKey, one.at, null, one);
  return rows;
}
