/** Without a touch for so long nobody is taken to be there: long enough to read a message, short for who leaves. */
export const IDLE_MS = 120_000;
export const LIVELY = ["keydown", "pointerdown", "pointermove", "wheel"] as const;

let touchedAt = Date.now();
const touched = (): void => void (touchedAt = Date.now());
for (const name of LIVELY) addEventListener(name, touched, { capture: true, passive: true });
document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && touched());

/** Whether somebody is at this page. What it does by itself with nobody there must not keep the session alive. */
export const isAttended = (): boolean => Date.now() - touchedAt < IDLE_MS;
