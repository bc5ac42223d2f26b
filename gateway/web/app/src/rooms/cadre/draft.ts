import { uuid7 } from "@unionhall/sdk";
import { reactive } from "vue";

/** What is being written. In memory only, so that looking something up meanwhile loses nothing. */
export interface Draft {
  title: string;
  body: string;
  wantsConfirmation: boolean;
  /** As a `datetime-local` spells it; empty for none. */
  replyBy: string;
  /** One for each notice: sending it again is harmless. */
  clientKey: string;
}

const blank = (): Draft => ({ title: "", body: "", wantsConfirmation: true, replyBy: "", clientKey: uuid7() });
export const draft = reactive(blank());
export const forgetDraft = (): void => void Object.assign(draft, blank());
