// The query page (GraphiQL) at /graphql: a page of its own, with nothing of the app in it.
import { defineConfig } from "vite";
import { into } from "../making/into.mjs";
import { served } from "../making/served.mjs";

const built = into("ide");

export default defineConfig({
  root: import.meta.dirname,
  base: "/graphql/ide/",
  plugins: [served()],
  build: {
    ...built,
    license: { fileName: "licenses.md" },
    rolldownOptions: {
      ...built.rolldownOptions,
      onLog(level, log, tell) {
        // React's packages say "use client" in each file, which means nothing in a browser.
        if (log.code !== "MODULE_LEVEL_DIRECTIVE") tell(level, log);
      },
    },
  },
});
