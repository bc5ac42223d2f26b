import type { OutboxEntry, OutboxStore } from "./outbox.js";

const STORE = "entries";

/** Keeps an outbox's entries in the browser, over restarts. Private windows may refuse: use `memoryStore`. */
export function indexedDbStore(name = "unionhall-outbox"): OutboxStore {
  let opened: Promise<IDBDatabase> | null = null;
  const database = (): Promise<IDBDatabase> =>
    (opened ??= open(name).catch((error: unknown) => {
      opened = null;
      throw error;
    }));

  async function within<T>(
    mode: IDBTransactionMode,
    act: (entries: IDBObjectStore) => IDBRequest<T>,
  ): Promise<T> {
    const transaction = (await database()).transaction(STORE, mode);
    const request = act(transaction.objectStore(STORE));
    return new Promise((done, failed) => {
      transaction.oncomplete = () => done(request.result); // not before it is kept
      transaction.onerror = transaction.onabort = () => failed(transaction.error);
    });
  }

  const ofAccount = (account: string): IDBKeyRange => IDBKeyRange.bound([account], [account, []]);
  return {
    load: async (account) => {
      const found = await within<OutboxEntry[]>("readonly", (entries) => entries.getAll(ofAccount(account)));
      // Client keys of version 7 are in order within a millisecond too, mostly; the clock decides first.
      return found.sort((one, other) => one.at - other.at);
    },
    put: async (entry) => void (await within("readwrite", (entries) => entries.put(entry))),
    remove: async (account, clientKey) =>
      void (await within("readwrite", (entries) => entries.delete([account, clientKey]))),
    clear: async (account) =>
      void (await within("readwrite", (entries) => entries.delete(ofAccount(account)))),
  };
}

function open(name: string): Promise<IDBDatabase> {
  return new Promise((done, failed) => {
    const request = indexedDB.open(name, 1);
    request.onupgradeneeded = () =>
      void request.result.createObjectStore(STORE, { keyPath: ["account", "clientKey"] });
    request.onsuccess = () => {
      const database = request.result;
      database.onversionchange = () => database.close(); // another tab removes it
      done(database);
    };
    request.onerror = () => failed(request.error);
    request.onblocked = () => failed(request.error);
  });
}
