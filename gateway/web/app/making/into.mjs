// How every page of ours is built, and where it goes.
import path from "node:path";

export const into = (name) => ({
  outDir: path.resolve(import.meta.dirname, "../../dist", name),
  emptyOutDir: true,
  target: "es2022",
  assetsInlineLimit: 0,
  modulePreload: { polyfill: false },
  reportCompressedSize: false,
  chunkSizeWarningLimit: 1500,
  rolldownOptions: { checks: { pluginTimings: false, bundlerTimings: false } },
});
