import { speech } from "./languages";
import { preferences } from "./preferences";

const MINUTE_S = 60;
const HOUR_S = 3_600;
const DAY_S = 86_400;

const format = (options: Intl.DateTimeFormatOptions) => (at: string) =>
  new Intl.DateTimeFormat(preferences.language, options).format(new Date(at));

/** 14:05 */
export const clock = format({ hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
/** 5月6日 */
export const day = format({ month: "long", day: "numeric" });
/** 2016年5月6日 */
export const fullDay = format({ year: "numeric", month: "long", day: "numeric" });
/** 5月6日 14:05 */
export const moment = format({ month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

/** 3 分钟前, 昨天, 5月6日 */
export function ago(at: string, now = Date.now()): string {
  const passedS = Math.max(0, (now - Date.parse(at)) / 1000);
  const relative = new Intl.RelativeTimeFormat(preferences.language, { numeric: "auto" });
  if (passedS < MINUTE_S) return speech.t("shell.now");
  if (passedS < HOUR_S) return relative.format(-Math.floor(passedS / MINUTE_S), "minute");
  if (passedS < DAY_S) return relative.format(-Math.floor(passedS / HOUR_S), "hour");
  if (passedS < 7 * DAY_S) return relative.format(-Math.floor(passedS / DAY_S), "day");
  return day(at);
}

/** Whether two moments lie on one day here. */
export const isSameDay = (one: string, other: string): boolean =>
  new Date(one).toDateString() === new Date(other).toDateString();
