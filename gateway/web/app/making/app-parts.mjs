// What the server needs of the app alone: its paths, and the service worker with the list of the
// shell's files.
import { createHash } from "node:crypto";
import { readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";

export async function appParts({ root, out, bundle }) {
  const source = path.join(root, "src");
  const rooms = (await readdir(path.join(source, "rooms"))).sort();
  await writeWorker(out, source, bundle);
  return { rooms, shell: shellOf(bundle) };
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
