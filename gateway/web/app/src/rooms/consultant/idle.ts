import { onScopeDispose, ref } from "vue";
import { IDLE_MS, LIVELY } from "@/shell/attending";

/** Covered when nobody has touched anything for two minutes, until a key or a press. */
export function useIdle() {
  const isCovered = ref(false);
  let touchedAt = Date.now();
  let timer = 0;

  /** A timer may come late or early (a sleeping machine, a page in the background): the clock decides. */
  function wait(): void {
    const leftMs = touchedAt + IDLE_MS - Date.now();
    if (leftMs <= 0) isCovered.value = true;
    else timer = window.setTimeout(wait, leftMs);
  }

  function touched(event: Event): void {
    if (!isCovered.value) {
      touchedAt = Date.now();
    } else if (event.type === "keydown" || event.type === "pointerdown") {
      // It only lifts the cover: what lies below must not be hit unseen.
      event.preventDefault();
      event.stopImmediatePropagation();
      lift();
    }
  }

  function lift(): void {
    if (!isCovered.value) return;
    isCovered.value = false;
    touchedAt = Date.now();
    wait();
  }

  function seen(): void {
    if (document.visibilityState !== "visible" || isCovered.value) return;
    clearTimeout(timer);
    wait();
  }

  wait();
  for (const name of LIVELY) addEventListener(name, touched, { capture: true, passive: false });
  document.addEventListener("visibilitychange", seen);
  onScopeDispose(() => {
    clearTimeout(timer);
    for (const name of LIVELY) removeEventListener(name, touched, { capture: true });
    document.removeEventListener("visibilitychange", seen);
  });
  return { isCovered, lift };
}
