import { createApp } from "vue";
import "./shell/tokens.css";
import "./shell/pages.css";
import "./shell/vant.css";
import App from "./shell/App.vue";
import { enterWords, i18n } from "./shell/languages";
import { keepForOffline } from "./shell/offline";
import { rooms } from "./shell/rooms";
import { router } from "./shell/router";
import { sessionKnown } from "./shell/session";

// Everything that the first page will most likely need is asked for at once: on a slow network each
// step that waits for another costs a tenth of a second and more.
const likely = rooms.find((room) => location.pathname.startsWith(`/${room.name}`)) ?? rooms.find((room) => room.name === "sign-in");
void sessionKnown();
const words = enterWords("sign-in", ...(likely ? [likely.name, ...(likely.parts ?? [])] : []));
void likely?.frame();
void likely?.pages[0]?.page();

// Nothing is shown that would have to be said differently a moment later.
await words;
createApp(App).use(i18n).use(router).mount("#app");
await router.isReady();

// After the page: it may be refused in private windows, and nothing waits for it.
keepForOffline().catch(() => {});
