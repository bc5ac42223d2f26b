// Bundles the page into ../dist/ide with hashed names, and a manifest that the server reads.
import { rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { build } from "esbuild";

const out = path.resolve(import.meta.dirname, "../dist/ide");
await rm(out, { recursive: true, force: true });
const { metafile } = await build({
  entryPoints: { ide: path.resolve(import.meta.dirname, "src/main.js") },
  outdir: out,
  entryNames: "[name]-[hash]",
  assetNames: "[name]-[hash]",
  bundle: true,
  format: "esm",
  target: "es2022",
  minify: true,
  legalComments: "linked",
  metafile: true,
  loader: { ".woff": "file", ".woff2": "file", ".ttf": "file", ".svg": "file" },
  define: { "process.env.NODE_ENV": '"production"' },
});

const manifest = {};
for (const [file, { entryPoint, cssBundle }] of Object.entries(metafile.outputs)) {
  if (entryPoint) {
    manifest.script = path.basename(file);
    manifest.style = path.basename(cssBundle);
  }
}
// Written last: its presence says that the build is whole.
await writeFile(path.join(out, "manifest.json"), JSON.stringify(manifest) + "\n");
