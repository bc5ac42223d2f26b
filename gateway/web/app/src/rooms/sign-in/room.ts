import type { Room } from "@/shell/rooms";

/** The door (登录): for nobody yet, and for whom no other room is there. */
export const room: Room = {
  name: "sign-in",
  order: 99,
  mayEnter: () => true,
  frame: () => import("./Door.vue"),
  pages: [{ path: "", page: () => import("./SignIn.vue") }],
};
