import { ref } from "vue";
import { createRouter, createWebHistory, type RouteRecordRaw } from "vue-router";
import { enterWords, speech } from "./languages";
import { rooms, roomsOf } from "./rooms";
import { say } from "./saying";
import { session, sessionKnown } from "./session";

const RELOADED = "unionhall.reloaded";
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

router.beforeEach(async (to) => {
  isUnderWay.value = true;
  await sessionKnown();
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
