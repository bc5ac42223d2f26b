// What the server needs beside Vite's files: the app's paths, compressed twins, and the service
// worker with the list of the shell's files.
import { createHash } from "node:crypto";
import { readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const COMPRESSIBLE = /\.(js|css|html|svg|json|webmanifest)$/;
const SMALL_BYTES_MAX = 1024; // below, compressing saves nothing

export function served() {
  let config;
  return {
    name: "served",
    apply: "build",
    configResolved: (resolved) => void (config = resolved),
    async writeBundle(_options, bundle) {
      const out = config.build.outDir;
      const source = path.join(config.root, "src");
      const rooms = (await readdir(path.join(source, "rooms"))).sort();
      await writeWorker(out, source, bundle);
      for (const file of await readdir(out, { recursive: true })) {
        if (!COMPRESSIBLE.test(file)) continue;
        const content = await readFile(path.join(out, file));
        if (content.length <= SMALL_BYTES_MAX) continue;
        await writeFile(path.join(out, `${file}.gz`), gzipSync(content, { level: 9 }));
        const params = { [constants.BROTLI_PARAM_QUALITY]: 11 };
        await writeFile(path.join(out, `${file}.br`), brotliCompressSync(content, { params }));
      }
      // Written last: its presence says that the build is whole.
      await writeFile(path.join(out, "served.json"), JSON.stringify({ rooms, shell: shellOf(bundle) }) + "\n");
    },
  };
}

/** The worker's text with the shell's files in it; its bytes change whenever one of them does. */
async function writeWorker(out, source, bundle) {
  const files = ["/", ...shellOf(bundle).map((file) => `/${file}`)];
  const index = await readFile(path.join(out, "index.html"));
  const version = createHash("sha256").update(index).update(files.join()).digest("hex").slice(0, 12);
  const text = await readFile(path.join(source, "worker.js"), "utf8");
  await writeFile(
    path.join(out, "worker.js"),
    text.replace("__VERSION__", version).replace("[/* __SHELL__ */]", JSON.stringify(files)),
  );
}

/** The entry with what it imports statically, and their styles: what the first page needs. */
function shellOf(bundle) {
  const found = new Set();
  const add = (name) => {
    const chunk = bundle[name];
    if (!chunk || found.has(name)) return;
    found.add(name);
    for (const style of chunk.viteMetadata?.importedCss ?? []) found.add(style);
    for (const imported of chunk.imports ?? []) add(imported);
  };
  for (const [name, chunk] of Object.entries(bundle)) if (chunk.isEntry) add(name);
  return [...found].sort();
}
