import type { Room } from "@/shell/rooms";

/** The cadre's desk (干部工作台): publish and watch the receipts; and every officer's inbox, on a phone too. */
export const room: Room = {
  name: "cadre",
  order: 3,
  mayEnter: (viewer) => viewer?.capabilities.some((one) => one === "NOTICE_PUBLISH" || one === "NOTICE_RECEIVE") ?? false,
  frame: () => import("./Cadre.vue"),
  pages: [
    { path: "", page: () => import("./Inbox.vue") },
    { path: "sent", page: () => import("./Sent.vue") },
    { path: "sent/:id", page: () => import("./Board.vue") },
    { path: "new", page: () => import("./Compose.vue") },
    { path: "me", page: () => import("./Me.vue") },
  ],
};
