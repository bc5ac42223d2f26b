/** Compiles, or not: what the types promise. Never run. */
import { connect, trusted, type TypedDocumentString } from "../src/index.js";

const client = connect({ url: "/graphql" });
const page = trusted<{ n: number }, { first: number; after?: string }>("query ($first: Int!) { n }");
const viewer = trusted<{ kind: string }, { [key: string]: never }>("{ viewer { kind } }");
declare const generated: TypedDocumentString<{ name: string }, { id: string }>;

export async function typed(): Promise<void> {
  const { n } = await client.query(page, { first: 1 });
  n satisfies number;
  (await client.query(viewer)) satisfies { kind: string };
  (await client.mutate(generated, { id: "1" })) satisfies { name: string };
  client.follow(generated, { id: "1" }, { next: ({ name }) => void (name satisfies string) });
  await client.query("{ anything }");

  // @ts-expect-error: the variables are missing
  await client.query(page);
  // @ts-expect-error: of another type
  await client.query(page, { first: "1" });
  // @ts-expect-error: not in the answer
  (await client.query(page, { first: 1 })).m;
  // @ts-expect-error: of another type
  client.follow(generated, { id: 1 }, { next: () => {} });
}
