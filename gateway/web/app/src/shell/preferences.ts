import { reactive, watchEffect } from "vue";
import type { Language } from "./languages";

/** How this browser likes to be spoken to. Nothing of it is personal, so it stays after sign-out. */
interface Preferences {
  language: Language;
  isLarge: boolean;
  /** A sound when something waits; a desk's rooms have it. */
  hasSound: boolean;
  /** Keys that are characters (WCAG 2.1.4: they can be switched off). */
  hasKeys: boolean;
}

const KEY = "unionhall.preferences";

function kept(): Preferences {
  const found: Preferences = { language: "zh-CN", isLarge: false, hasSound: true, hasKeys: true };
  try {
    const given = JSON.parse(localStorage.getItem(KEY) ?? "{}") as Partial<Preferences>;
    if (given.language === "en") found.language = "en";
    found.isLarge = given.isLarge === true;
    found.hasSound = given.hasSound !== false;
    found.hasKeys = given.hasKeys !== false;
  } catch {
    // Unreadable or forbidden: the defaults do.
  }
  return found;
}

export const preferences = reactive(kept());

watchEffect(() => {
  document.documentElement.classList.toggle("is-large", preferences.isLarge);
  document.documentElement.lang = preferences.language;
  try {
    localStorage.setItem(KEY, JSON.stringify(preferences));
  } catch {
    // A private window may refuse; the choice then lasts as long as the page.
  }
});
