import type { Room } from "@/shell/rooms";

/** The member's room (会员): ask a counsellor or a lawyer in private. Phone first. */
export const room: Room = {
  name: "member",
  order: 1,
  mayEnter: (viewer) => viewer?.kind === "MEMBER",
  frame: () => import("./Member.vue"),
  parts: ["talk"],
  pages: [
    { path: "", page: () => import("./Home.vue") },
    { path: "people", page: () => import("./People.vue") },
    { path: "people/:id", page: () => import("./Person.vue") },
    { path: "ask/:service", page: () => import("./Ask.vue") },
    { path: "cases/:id", page: () => import("./CasePage.vue") },
    { path: "history", page: () => import("./History.vue") },
    { path: "me", page: () => import("./Me.vue") },
  ],
};
