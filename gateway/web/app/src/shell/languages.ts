import { createI18n, type Composer } from "vue-i18n";
import { preferences } from "./preferences";

export type Language = "zh-CN" | "en";
export const LANGUAGES: readonly { readonly code: Language; readonly name: string }[] = [
  { code: "zh-CN", name: "中文" },
  { code: "en", name: "English" },
];

type Words = Record<string, unknown>;
type Loader = () => Promise<{ default: Words }>;

const shell = import.meta.glob<{ default: Words }>("./words.*.json") as Record<string, Loader>;
const errors = import.meta.glob<{ default: Words }>("../generated/errors.*.json") as Record<string, Loader>;
const places = import.meta.glob<{ default: Words }>(["../rooms/*/words.*.json", "../parts/*/words.*.json"]) as Record<string, Loader>;

export const i18n = createI18n({ legacy: false, locale: preferences.language, messages: {} });
/** For what is no component. Typed loosely: keys are checked by a test, in both languages. */
export const speech = i18n.global as unknown as Composer;

const loaded = new Set<string>();
const entered = new Set<string>();

async function load(key: string, loader: Loader | undefined, language: Language, place: string): Promise<void> {
  const name = `${language}/${key}`;
  if (loaded.has(name) || !loader) return;
  let words = (await loader()).default;
  // A dot in a key means a path to vue-i18n.
  if (place === "errors") words = Object.fromEntries(Object.entries(words).map(([code, said]) => [code.replaceAll(".", "-"), said]));
  speech.mergeLocaleMessage(language, { [place]: words });
  loaded.add(name);
}

const loadShell = (language: Language) =>
  Promise.all([
    load("shell", shell[`./words.${language}.json`], language, "shell"),
    load("errors", errors[`../generated/errors.${language}.json`], language, "errors"),
  ]);
const loadPlace = (name: string, language: Language) =>
  Promise.all(["rooms", "parts"].map((kind) => load(name, places[`../${kind}/${name}/words.${language}.json`], language, name)));

/** The words of a room and of the parts that it uses, as `t("<name>.…")`, before its first page is shown. */
export async function enterWords(...names: readonly string[]): Promise<void> {
  names.forEach((name) => entered.add(name));
  const language = preferences.language;
  await Promise.all([loadShell(language), ...names.map((name) => loadPlace(name, language))]);
}

/** Say everything in this language from now on. */
export async function speak(language: Language): Promise<void> {
  await Promise.all([loadShell(language), ...[...entered].map((name) => loadPlace(name, language))]);
  preferences.language = language;
  speech.locale.value = language;
  document.documentElement.lang = language;
}
