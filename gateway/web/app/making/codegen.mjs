// Writes src/generated from what the server commits: typed documents, a file for each
// operations.gql, their texts by sha256 (trusted documents), and the sentences of docs/errors.md.
import { createHash } from "node:crypto";
import { access, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { codegen } from "@graphql-codegen/core";
import * as operations from "@graphql-codegen/typescript-operations";
import { buildSchema, Kind, parse, print, stripIgnoredCharacters, validate, visit } from "graphql";
import { sentences } from "./sentences.mjs";

const app = path.resolve(import.meta.dirname, "..");
const docs = path.resolve(app, "../../../docs");
const out = path.join(app, "src/generated");
const SCALARS = { ID: "string", UUID: "string", DateTime: "string", Date: "string" };

const sdl = await readFile(path.join(docs, "schema.graphql"), "utf8");
const schema = buildSchema(sdl);
const trusted = {};

await rm(out, { recursive: true, force: true });
await mkdir(out, { recursive: true });
for (const [name, file] of await sources()) {
  const document = withTypenames(parse(await readFile(file, "utf8")));
  const wrong = validate(schema, document);
  if (wrong.length) throw new Error(`${file}: ${wrong.join("\n")}`);
  const types = await codegen({
    schema: parse(sdl),
    schemaAst: schema,
    documents: [{ location: file, document }],
    filename: `${name}.ts`,
    config: { scalars: SCALARS, strictScalars: true, skipTypename: true, useTypeImports: true, enumType: "string-literal" },
    plugins: [{ operations: {} }],
    pluginMap: { operations },
  });
  await writeFile(path.join(out, `${name}.ts`), [`import { trusted } from "@unionhall/sdk";`, types, texts(document)].join("\n\n"));
}
// Committed: from it the server's register of documents is filled (`unionhall documents`).
const sorted = Object.fromEntries(Object.entries(trusted).sort(([one], [other]) => (one < other ? -1 : 1)));
await writeFile(path.join(app, "persisted-documents.json"), JSON.stringify(sorted, null, 2) + "\n");
const said = sentences(await readFile(path.join(docs, "errors.md"), "utf8"));
for (const [language, byCode] of Object.entries(said)) {
  await writeFile(path.join(out, `errors.${language}.json`), JSON.stringify(byCode, null, 1) + "\n");
}

/** The operations of the shell, of each room and of each part that rooms share: [name, file]. */
async function sources() {
  const found = [["shell", path.join(app, "src/shell/operations.gql")]];
  for (const kind of ["rooms", "parts"]) {
    const folder = path.join(app, "src", kind);
    for (const name of (await readdir(folder)).sort()) found.push([name, path.join(folder, name, "operations.gql")]);
  }
  const there = await Promise.all(found.map(([, file]) => access(file).then(() => true, () => false)));
  return found.filter((_, at) => there[at]);
}

/** `__typename` wherever a selection is of an interface or union, so that events can be told apart. */
function withTypenames(document) {
  const typename = { kind: Kind.FIELD, name: { kind: Kind.NAME, value: "__typename" } };
  const isSplit = (set) => set.selections.some((one) => one.kind === Kind.INLINE_FRAGMENT);
  return visit(document, {
    SelectionSet: (set) => (isSplit(set) ? { ...set, selections: [typename, ...set.selections] } : undefined),
  });
}

/** An exported constant for each operation: its text as it is sent, and the digest of that text. */
function texts(document) {
  const fragments = document.definitions.filter((one) => one.kind === Kind.FRAGMENT_DEFINITION);
  return document.definitions
    .filter((one) => one.kind === Kind.OPERATION_DEFINITION)
    .map((operation) => {
      const used = closure(operation, fragments);
      const text = stripIgnoredCharacters([operation, ...used].map(print).join("\n"));
      const sha256 = createHash("sha256").update(text).digest("hex");
      trusted[sha256] = text;
      const name = operation.name.value;
      const type = name + { query: "Query", mutation: "Mutation", subscription: "Subscription" }[operation.operation];
      return `export const ${name} = trusted<${type}, ${type}Variables>(\n  ${JSON.stringify(text)},\n  "${sha256}",\n);\n`;
    })
    .join("\n");
}

/** The fragments that a definition spreads, directly or through others. */
function closure(definition, fragments, found = new Set()) {
  visit(definition, {
    FragmentSpread: ({ name }) => {
      const fragment = fragments.find((one) => one.name.value === name.value);
      if (found.has(fragment)) return;
      found.add(fragment);
      closure(fragment, fragments, found);
    },
  });
  return [...found];
}
