// What the server needs beside Vite's files: compressed twins, and what a page tells of itself.
import { readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const COMPRESSIBLE = /\.(js|css|html|svg|json|webmanifest)$/;
const SMALL_BYTES_MAX = 1024; // below, compressing saves nothing

/** `parts` writes what the page has of its own and answers what the server must know of it. */
export function served(parts = async () => ({})) {
  let config;
  return {
    name: "served",
    apply: "build",
    configResolved: (resolved) => void (config = resolved),
    async writeBundle(_options, bundle) {
      const out = config.build.outDir;
      const told = await parts({ root: config.root, out, bundle });
      for (const file of await readdir(out, { recursive: true })) {
        if (!COMPRESSIBLE.test(file)) continue;
        const content = await readFile(path.join(out, file));
        if (content.length <= SMALL_BYTES_MAX) continue;
        await writeFile(path.join(out, `${file}.gz`), gzipSync(content, { level: 9 }));
        const params = { [constants.BROTLI_PARAM_QUALITY]: 11 };
        await writeFile(path.join(out, `${file}.br`), brotliCompressSync(content, { params }));
      }
      // Written last: its presence says that the build is whole.
      await writeFile(path.join(out, "served.json"), JSON.stringify(told) + "\n");
    },
  };
}
