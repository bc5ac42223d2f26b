import { ref } from "vue";
import { createRouter, createWebHistory, type RouteRecordRaw } from "vue-router";
import { enterWords, speech } from "./languages";
import { rooms, roomsOf } from "./rooms";
import { say } from "./saying";
import { session, sessionKnown } from "./session";

const RELOADED = "unionhall.reloaded";
const STYLE_MS_MAX = 1_000; // a page is better plain than late
const RELOAD_EVERY_MS = 30_000; // a page that cannot be had twice in a row is not there

const routes: RouteRecordRaw[] = rooms.map((room) => ({
  path: `/${room.name}`,
  component: room.frame,
  meta: { room: room.name },
  children: [
    ...room.pages.map(({ path, page }) => ({ path, component: page, props: true })),
    { path: ":rest(.*)+", redirect: `/${room.name}` },
  ],
}));

export const router = createRouter({
  history: createWebHistory(),
  routes: [...routes, { path: "/:rest(.*)*", redirect: () => home() }],
  scrollBehavior: (_to, _from, saved) => saved ?? { top: 0 },
});

/** Where this person is at home; the door for nobody, and for whom no room is there yet. */
export const home = (): string => `/${roomsOf(session.viewer)[0]?.name ?? "sign-in"}`;

/** A page is on its way: its files may have to be fetched first. */
export const isUnderWay = ref(false);

/** A style could not be had, as in a tunnel. Whoever loads pages takes it for there; so it is asked for anew. */
let isStyleMissing = false;
addEventListener("vite:preloadError", () => (isStyleMissing = true));

/** Chromium has a sheet for one that could not be had too, and refuses to tell its rules. */
function hasRules(link: HTMLLinkElement): boolean {
  try {
    return (link.sheet?.cssRules.length ?? 0) > 0;
  } catch {
    return false;
  }
}

async function mendStyles(): Promise<void> {
  if (!isStyleMissing) return;
  isStyleMissing = false;
  const missing = [...document.querySelectorAll<HTMLLinkElement>("link[rel=stylesheet]")].filter((link) => !hasRules(link));
  const comings = missing.map(async (link) => {
    const anew = link.cloneNode() as HTMLLinkElement;
    const coming = new Promise((done) => {
      anew.onload = done;
      anew.onerror = () => done((isStyleMissing = true));
    });
    link.replaceWith(anew);
    await coming;
  });
  await Promise.race([Promise.all(comings), new Promise((late) => setTimeout(late, STYLE_MS_MAX))]);
}

router.beforeEach(async (to) => {
  isUnderWay.value = true;
  await sessionKnown();
  await mendStyles();
  const name = to.meta.room;
  if (typeof name !== "string") return home();
  const room = rooms.find((each) => each.name === name);
  if (!room?.mayEnter(session.viewer)) {
    // Come back here after signing in; kept in memory only.
    if (!session.viewer) session.wanted = to.fullPath;
    const instead = home();
    return instead === to.path ? true : instead;
  }
  if (name === "sign-in" && session.viewer && home() !== to.path) return home();
  await enterWords(name, ...(room.parts ?? []));
  return true;
});

const fetched = new Set<string>();

router.afterEach((to) => {
  isUnderWay.value = false;
  const room = rooms.find((each) => each.name === to.meta.room);
  if (!room || fetched.has(room.name)) return;
  fetched.add(room.name);
  // The room's other pages, while nothing else is to do: then they open at once, and in a tunnel too.
  setTimeout(() => room.pages.forEach(({ page }) => void page().catch(() => {})), 1_000);
});

// A page's files cannot be had: no network, or the server has newer ones and this page is the old one.
router.onError((_error, to) => {
  isUnderWay.value = false;
  const reloadedAt = Number(sessionStorage.getItem(RELOADED) ?? 0);
  if (!navigator.onLine || Date.now() - reloadedAt < RELOAD_EVERY_MS) return say(speech.t("shell.sentences.unsent"));
  sessionStorage.setItem(RELOADED, String(Date.now()));
  location.assign(to.fullPath);
});
