/** A value that can be watched: it calls back at once and after each change. */
export interface Watchable<T> {
  readonly current: T;
  /** Returns how to stop. */
  watch(listener: (value: T) => void): () => void;
}

export class Watched<T> implements Watchable<T> {
  #current: T;
  readonly #listeners = new Set<(value: T) => void>();

  constructor(first: T) {
    this.#current = first;
  }

  get current(): T {
    return this.#current;
  }

  set(value: T): void {
    this.#current = value;
    for (const listener of [...this.#listeners]) listener(value);
  }

  watch(listener: (value: T) => void): () => void {
    const own = (value: T): void => listener(value); // the same function may watch twice
    this.#listeners.add(own);
    own(this.#current);
    return () => void this.#listeners.delete(own);
  }
}
