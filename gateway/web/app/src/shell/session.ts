import { reactive, watch } from "vue";
import { SignIn, SignOut, SignOutEverywhere, Viewer as ViewerQuery } from "@/generated/shell";
import { expectEnding, forgetEverything } from "./forgetting";
import { client, connection, openOutbox } from "./link";
import { followNews } from "./news";
import { isCut, isEnded, refusalOf } from "./refusal";
import type { Viewer } from "./rooms";

const RETRY_MS = 2_000; // while the first answer does not come: often enough to feel at once

/** Who is signed in here. */
class Session {
  viewer: Viewer | null = null;
  /** The page that somebody wanted before they had to sign in. */
  wanted: string | null = null;
  /** No answer yet, and no network to get one. */
  isCutOff = false;

  async signIn(identifier: string, password: string): Promise<void> {
    await client.mutate(SignIn, { input: { identifier, password } });
    this.enter((await client.query(ViewerQuery)).viewer);
  }

  /** End it here or on every device, and forget all that this page knew. */
  async signOut({ everywhere = false } = {}): Promise<void> {
    expectEnding(true);
    try {
      await client.mutate(everywhere ? SignOutEverywhere : SignOut);
    } catch (thrown) {
      // Over already is as good. Without a network the cookie would stay, so that is said instead.
      if (!isEnded(refusalOf(thrown))) {
        expectEnding(false);
        throw thrown;
      }
    }
    await forgetEverything("signed-out");
  }

  /** Ask until there is an answer. */
  async ask(): Promise<void> {
    for (;;) {
      try {
        this.enter((await client.query(ViewerQuery)).viewer);
        this.isCutOff = false;
        return;
      } catch (thrown) {
        this.isCutOff = isCut(refusalOf(thrown));
        await new Promise((done) => setTimeout(done, RETRY_MS));
      }
    }
  }

  /** What this person may do has changed. Until the answer is there, the server alone knows. */
  async renew(): Promise<void> {
    const { viewer } = await client.query(ViewerQuery).catch(() => ({ viewer: null }));
    if (viewer) this.viewer = viewer;
  }

  private enter(viewer: Viewer | null): void {
    this.viewer = viewer;
    if (!viewer) return;
    openOutbox(viewer.accountId);
    followNews();
  }
}

export const session = reactive(new Session()) as Session;

let asked: Promise<void> | null = null;
/** Holds once it is known whether somebody is signed in. */
export const sessionKnown = (): Promise<void> => (asked ??= session.ask());

// It ended elsewhere: signed out on another device, run out, or the account was locked.
watch(
  () => connection.state,
  (state) => {
    if (state === "ended" && session.viewer) void forgetEverything("ended");
  },
);
