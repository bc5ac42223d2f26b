import { reactive } from "vue";

/** What is being written, by conversation: kept while the page lives, never stored. */
export const drafts = reactive(new Map<string, string>());
