import path from "node:path";
import vue from "@vitejs/plugin-vue";
import { defineConfig } from "vite";
import { appParts } from "./making/app-parts.mjs";
import { into } from "./making/into.mjs";
import { served } from "./making/served.mjs";
import { vantWithoutItsIconFont } from "./making/vant.mjs";

export default defineConfig({
  base: "/",
  resolve: {
    alias: {
      "@": path.resolve(import.meta.dirname, "src"),
      "@unionhall/sdk": path.resolve(import.meta.dirname, "../sdk/src"),
    },
    // The SDK is bundled from its source: what it imports comes from here.
    dedupe: ["graphql-ws"],
  },
  define: {
    __VUE_OPTIONS_API__: "true", // Element Plus and Vant use it in places
    __VUE_PROD_DEVTOOLS__: "false",
    __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: "false",
    __VUE_I18N_FULL_INSTALL__: "false",
    __VUE_I18N_LEGACY_API__: "false",
    __INTLIFY_PROD_DEVTOOLS__: "false",
  },
  plugins: [vue(), vantWithoutItsIconFont(), served(appParts)],
  server: { proxy: { "/graphql": { target: "http://127.0.0.1:8000", ws: true } } },
  build: into("app"),
});
