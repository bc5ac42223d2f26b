import { onScopeDispose, ref, type Ref } from "vue";

const SECOND_MS = 1_000;
const MINUTE_S = 60;
const HOUR_S = 3_600;
const DAY_S = 86_400;

const two = (number: number): string => String(number).padStart(2, "0");

/** The time, told every second for as long as the component lives and is looked at. */
export function useNow(): Ref<number> {
  const now = ref(Date.now());
  const timer = setInterval(() => {
    if (document.visibilityState === "visible") now.value = Date.now();
  }, SECOND_MS);
  onScopeDispose(() => clearInterval(timer));
  return now;
}

/** How long since, as a clock: 4:05, 1:04:05; whole days beyond one. */
export function passed(at: string, now: number): { readonly days: number; readonly clock: string } {
  const allS = Math.max(0, Math.floor((now - Date.parse(at)) / SECOND_MS));
  const hours = Math.floor(allS / HOUR_S);
  const rest = `${two(Math.floor((allS % HOUR_S) / MINUTE_S))}:${two(allS % MINUTE_S)}`;
  return { days: Math.floor(allS / DAY_S), clock: hours ? `${hours}:${rest}` : rest };
}
