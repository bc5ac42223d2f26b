import type { Following } from "@unionhall/sdk";
import { onScopeDispose } from "vue";
import { News, type NewsSubscription } from "@/generated/shell";
import { client } from "./link";

/** Something that concerns this person; null: something may have been missed, read anew. */
export type MyNews = NewsSubscription["myEvents"] | null;

const listeners = new Set<(news: MyNews) => void>();
let following: Following | null = null;

const tell = (news: MyNews): void => [...listeners].forEach((listener) => listener(news));

/** Follow what concerns this person, wherever they are in the app; it also keeps the connection open. */
export function followNews(): void {
  let isNew = true;
  following ??= client.follow(News, {}, {
    next: ({ myEvents }) => tell(myEvents),
    // From now on; what pages have read before is read again.
    snapshot: async () => void (isNew = true),
    state: (state) => {
      if (state === "live" && isNew) tell(null);
      isNew &&= state !== "live";
    },
  });
}

/** As long as the component lives. */
export function onNews(listener: (news: MyNews) => void): void {
  listeners.add(listener);
  onScopeDispose(() => listeners.delete(listener));
}
