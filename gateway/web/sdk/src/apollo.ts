/** For Apollo Client 4: `new ApolloClient({ link: unionhallLink(client), cache })`. */
import { ApolloLink, Observable } from "@apollo/client";
import { OperationTypeNode, print } from "graphql";
import type { Client } from "./client.js";

/** What `context.unionhall` may say of a subscription: where it begins, and how to read anew. */
export interface ApolloContext {
  readonly position?: string | null;
  readonly snapshot?: (signal: AbortSignal) => Promise<string | null | undefined>;
}

/** Queries, mutations and subscriptions of Apollo through this client: a terminating link. */
export function unionhallLink(client: Client): ApolloLink {
  return new ApolloLink((operation) => {
    const text = print(operation.query); // Apollo has added `__typename`: the source is not what is meant
    if (operation.operationType === OperationTypeNode.SUBSCRIPTION) {
      return new Observable((observer) => {
        const following = client.subscribe(text, operation.variables, {
          ...(operation.getContext()["unionhall"] as ApolloContext | undefined),
          next: (result) => observer.next(result as ApolloLink.Result),
          error: (error) => observer.error(error),
          complete: () => observer.complete(),
        });
        return () => following.stop();
      });
    }
    return new Observable((observer) => {
      const stop = new AbortController();
      client.execute(text, operation.variables, { signal: stop.signal }).then(
        (result) => {
          observer.next(result as ApolloLink.Result);
          observer.complete();
        },
        (error: unknown) => observer.error(error),
      );
      return () => stop.abort();
    });
  });
}
