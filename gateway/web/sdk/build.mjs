// Builds dist/: one file for each entry point, for programs without a bundler that reads TypeScript,
// and with --tests the tests. Says what a browser would load, in bytes.
import { readdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const here = (name) => path.resolve(import.meta.dirname, name);
const isTests = process.argv.includes("--tests");
const tests = isTests ? (await readdir(here("tests"))).filter((name) => name.endsWith(".test.ts")) : [];
const common = { bundle: true, format: "esm", target: "es2022", logLevel: "warning" };

await rm(here("dist"), { recursive: true, force: true });
await build({
  ...common,
  entryPoints: ["index", "indexeddb", "urql", "apollo"].map((name) => here(`src/${name}.ts`)),
  outdir: here("dist"),
  splitting: true,
  packages: "external",
});
if (tests.length) {
  await build({
    ...common,
    entryPoints: tests.map((name) => here(`tests/${name}`)),
    outdir: here("dist/tests"),
    platform: "node",
    packages: "external",
  });
}

// With graphql-ws, as an app's bundler would make it.
const { outputFiles } = await build({
  ...common,
  entryPoints: [here("src/index.ts")],
  minify: true,
  write: false,
});
const code = outputFiles[0].contents;
const size = { minifiedBytes: code.length, gzipBytes: gzipSync(code, { level: 9 }).length };
await writeFile(here("dist/size.json"), JSON.stringify(size) + "\n");
console.log(size);
