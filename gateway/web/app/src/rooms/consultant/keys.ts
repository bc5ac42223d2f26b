import { onScopeDispose } from "vue";
import { preferences } from "@/shell/preferences";

/**
 * The keys of the desk. F2 and F8 are used by no browser and no screen reader, and work while one
 * writes. `?` is a character: outside text fields only, and it can be switched off (WCAG 2.1.4).
 */
export const KEYS = [
  { key: "F2", word: "next" },
  { key: "Shift+F2", word: "queue" },
  { key: "F8", word: "talk" },
  { key: "Shift+F8", word: "back" },
  { key: "?", word: "help" },
] as const;
export type KeyWord = (typeof KEYS)[number]["word"];

const isText = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement && (target.isContentEditable || target.matches("input, textarea, select"));

export function useKeys(act: Record<KeyWord, () => void>): void {
  function pressed(event: KeyboardEvent): void {
    if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
    const isCharacter = event.key === "?";
    if (isCharacter && (!preferences.hasKeys || isText(event.target))) return;
    const name = event.shiftKey && !isCharacter ? `Shift+${event.key}` : event.key;
    const found = KEYS.find((each) => each.key === name);
    // A dialog that is open is answered first.
    if (!found || document.querySelector("dialog[open]")) return;
    event.preventDefault();
    act[found.word]();
  }
  addEventListener("keydown", pressed);
  onScopeDispose(() => removeEventListener("keydown", pressed));
}
