/** For @urql/core: its own exchanges for everything but the network, ours for that. */
import {
  makeErrorResult,
  makeResult,
  stringifyDocument,
  type Exchange,
  type Operation,
  type OperationResult,
} from "@urql/core";
import { filter, make, mergeMap, pipe, takeUntil, type Source } from "wonka";
import type { Client } from "./client.js";
import { UnionhallError } from "./errors.js";

/** What `context.unionhall` may say of a subscription: where it begins, and how to read anew. */
export interface UrqlContext {
  readonly position?: string | null;
  readonly snapshot?: (signal: AbortSignal) => Promise<string | null | undefined>;
}

/** Queries, mutations and subscriptions of urql through this client. The last exchange of the list. */
export function unionhallExchange(client: Client): Exchange {
  return () => (operations) => {
    return pipe(
      operations,
      filter(({ kind }) => kind !== "teardown"),
      mergeMap((operation) =>
        pipe(
          operation.kind === "subscription" ? followed(client, operation) : asked(client, operation),
          takeUntil(
            pipe(
              operations,
              filter(({ kind, key }) => kind === "teardown" && key === operation.key),
            ),
          ),
        ),
      ),
    );
  };
}

function asked(client: Client, operation: Operation): Source<OperationResult> {
  return make((observer) => {
    const stop = new AbortController();
    client
      .execute(stringifyDocument(operation.query), operation.variables as object, { signal: stop.signal })
      .then(
        (result) => observer.next(makeResult(operation, result as never)),
        (error: UnionhallError) => observer.next(makeErrorResult(operation, error)),
      )
      .finally(() => observer.complete());
    return () => stop.abort();
  });
}

function followed(client: Client, operation: Operation): Source<OperationResult> {
  return make((observer) => {
    const following = client.subscribe(stringifyDocument(operation.query), operation.variables, {
      ...(operation.context["unionhall"] as UrqlContext | undefined),
      next: (result) => observer.next(makeResult(operation, result as never)),
      error: (error) => {
        observer.next(makeErrorResult(operation, error));
        observer.complete();
      },
      complete: () => observer.complete(),
    });
    return () => following.stop();
  });
}
