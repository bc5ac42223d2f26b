import { createRouter, createWebHistory, type RouteRecordRaw } from "vue-router";
import { enterWords } from "./languages";
import { rooms, roomsOf } from "./rooms";
import { session, sessionKnown } from "./session";

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

router.beforeEach(async (to) => {
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
