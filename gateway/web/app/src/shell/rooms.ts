import type { Component } from "vue";
import type { ViewerQuery } from "@/generated/shell";

export type Viewer = NonNullable<ViewerQuery["viewer"]>;

/** A page of a room: its path below the room's, and its component, loaded when first opened. */
export interface RoomPage {
  readonly path: string;
  readonly page: () => Promise<{ default: Component }>;
}

/** A room of the app: the folder of this name below `rooms/`, at the path `/<name>`. docs/web.md */
export interface Room {
  /** The folder's name, and the first part of every path in it. */
  readonly name: string;
  /** Rooms are offered in this order; the first that one may enter is one's own. */
  readonly order: number;
  /** Whether this person has business here. The server decides again with every answer. */
  readonly mayEnter: (viewer: Viewer | null) => boolean;
  /** What stands around every page of the room, with a RouterView in it. */
  readonly frame: () => Promise<{ default: Component }>;
  readonly pages: readonly RoomPage[];
  /** Folders of `parts/` that its pages use: their words come with the room's. */
  readonly parts?: readonly string[];
}

const found = import.meta.glob<{ room: Room }>("../rooms/*/room.ts", { eager: true });

export const rooms: readonly Room[] = Object.values(found)
  .map((module) => module.room)
  .sort((one, other) => one.order - other.order);

/** Those that this person may enter, their own first. */
export const roomsOf = (viewer: Viewer | null): readonly Room[] => rooms.filter((room) => room.mayEnter(viewer));
