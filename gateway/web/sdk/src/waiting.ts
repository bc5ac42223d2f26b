/** How long to wait before the next attempt, in milliseconds. */
export interface Backoff {
  readonly firstMs: number;
  readonly maxMs: number;
}

/** The first wait is below a second, so that one lost packet goes unnoticed; later ones spare the server. */
export const BACKOFF: Backoff = { firstMs: 1_000, maxMs: 30_000 };

/** Doubling, with jitter over four fifths: clients that were cut together do not come back together. */
export function backoffMs(attempt: number, { firstMs, maxMs }: Backoff, random = Math.random): number {
  return Math.min(maxMs, firstMs * 2 ** Math.min(attempt, 20)) * (0.2 + 0.8 * random());
}

/**
 * A restored database takes their place from all subscriptions at one instant: over so long they read
 * anew. Below what a socket lingers without subscriptions (3 s), so that nobody has to connect again.
 */
export const SPREAD_MAX_MS = 2_500;

/** When to do what everybody is told to do at the same instant. */
export function spreadMs(maxMs = SPREAD_MAX_MS, random = Math.random): number {
  return maxMs * random();
}

/** Waits that can be cut short, when the network comes back or the client ends. */
export class Waiting {
  readonly #open = new Set<() => void>();

  /** Resolves after the time, or when woken; never rejects. */
  pause(ms: number): Promise<void> {
    return new Promise((done) => {
      const end = (): void => {
        clearTimeout(timer);
        this.#open.delete(end);
        done();
      };
      const timer = setTimeout(end, ms);
      this.#open.add(end);
    });
  }

  wake(): void {
    for (const end of [...this.#open]) end();
  }
}
