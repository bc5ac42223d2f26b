import type { Room } from "@/shell/rooms";

/** The consultant's window (咨询窗口): the queue, several conversations side by side, one's own cases. Desk first. */
export const room: Room = {
  name: "consultant",
  order: 2,
  mayEnter: (viewer) => viewer?.consultantId != null && viewer.capabilities.includes("CONSULT"),
  frame: () => import("./Consultant.vue"),
  parts: ["talk"],
  pages: [
    { path: "", page: () => import("./Desk.vue") },
    { path: "cases", page: () => import("./Cases.vue") },
  ],
};
