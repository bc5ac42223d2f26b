import { createApp } from "vue";
import "./shell/tokens.css";
import "./shell/vant.css";
import App from "./shell/App.vue";
import { enterWords, i18n } from "./shell/languages";
import { router } from "./shell/router";

// The first words come with the first page: nothing is shown that would have to be said differently.
await enterWords("sign-in");
createApp(App).use(i18n).use(router).mount("#app");

if ("serviceWorker" in navigator && import.meta.env.PROD) {
  addEventListener("load", () => void navigator.serviceWorker.register("/worker.js").catch(() => {}));
}
