import {
  isNobodyThere,
  type Attendance,
  type Auth,
  type AuthMaker,
  type Leave,
  type Refresh,
  type SessionAnswer,
} from "./auth.js";
import { SESSION_OVER, UNAUTHENTICATED, UnionhallError } from "./errors.js";

/** What an app keeps of its session between two starts: secrets, so put them into the keychain. */
export interface KeptSession {
  readonly device: string;
  readonly accessToken: string;
  /** Milliseconds since 1970. */
  readonly accessTokenExpiresAt: number;
  readonly refreshToken: string;
}

/** Where the session is kept. `null`: nothing, remove it. */
export interface SessionStore {
  load(): Promise<KeptSession | null>;
  save(session: KeptSession | null): Promise<void>;
}

export interface BearerOptions extends Attendance {
  readonly store: SessionStore;
}

/** A refresh this long before the token's end, so that a slow network does not matter. */
const EARLY_MS = 60_000;
/** The server forgives a second use of a refresh token for ten seconds: two tries fit into them. */
const REFRESH_TIMEOUT_MS = 4_500;
const REFRESH_TRIES = 2;
/** setTimeout takes no more; a look after that time does no harm. */
const TIMER_MAX_MS = 2 ** 31 - 1;

/** For apps: a bearer token of ten minutes and a refresh token that is good once. */
export function bearer(options: BearerOptions): AuthMaker {
  return (refresh) => new Bearer(options, refresh);
}

class Bearer implements Auth {
  readonly heldAs = "APP";
  onOver: (() => void) | null = null;
  readonly #options: BearerOptions;
  readonly #refresh: Refresh;
  #loaded: Promise<void> | null = null;
  #kept: KeptSession | null = null;
  #device: string | null = null;
  #refreshing: Promise<SessionAnswer | null> | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isOpen = false;

  constructor(options: BearerOptions, refresh: Refresh) {
    this.#options = options;
    this.#refresh = refresh;
  }

  get isAttended(): (() => boolean) | undefined {
    return this.#options.isAttended;
  }

  async token(isUnattended = false): Promise<string | null> {
    await this.#load();
    if (this.#kept && Date.now() >= this.#kept.accessTokenExpiresAt - EARLY_MS) {
      const isStillGood = Date.now() < this.#kept.accessTokenExpiresAt;
      await this.#renew(isUnattended).catch((error: unknown) => {
        if (!isStillGood || !this.#kept) throw error;
      });
    }
    return this.#kept?.accessToken ?? null;
  }

  async refused(token: string | null, isUnattended = false): Promise<boolean> {
    await this.#load();
    if (!this.#kept) return false;
    if (this.#kept.accessToken === token) await this.#renew(isUnattended);
    return true;
  }

  async keep(session: SessionAnswer): Promise<void> {
    await this.#save(keptOf(session, await this.device()));
  }

  leave(): Leave {
    const left = this.#load()
      .catch(() => {}) // what cannot be read is still to be removed
      .then(() => ({ before: this.#kept, exchange: this.#refreshing, saved: this.#save(null) }));
    return {
      forgotten: left.then(({ saved }) => saved),
      token: async () => {
        const { before, exchange } = await left;
        // An exchange that was under way has ended the token from before; its own was not kept.
        const after = await exchange?.catch(() => null);
        if (after || !before) return after?.accessToken ?? null;
        if (Date.now() < before.accessTokenExpiresAt) return before.accessToken;
        return (await this.#ask(before)).accessToken;
      },
    };
  }

  async device(): Promise<string> {
    await this.#load();
    return (this.#device ??= secret());
  }

  attend(isOpen: boolean): void {
    if (isOpen === this.#isOpen) return; // told with each change: the timer is not to begin anew
    this.#isOpen = isOpen;
    this.#schedule();
  }

  #load(): Promise<void> {
    return (this.#loaded ??= this.#read().catch((error: unknown) => {
      this.#loaded = null; // a keychain may be locked for a moment: whoever needs it next asks again
      throw error;
    }));
  }

  async #read(): Promise<void> {
    const kept = await this.#options.store.load();
    this.#kept ??= kept;
    this.#device ??= kept?.device ?? null;
  }

  async #save(session: KeptSession | null): Promise<void> {
    this.#kept = session;
    this.#schedule();
    await this.#options.store.save(session);
  }

  async #renew(isUnattended = false): Promise<SessionAnswer | null> {
    if (isUnattended) throw new UnionhallError(UNAUTHENTICATED); // a refresh is a use: who comes back makes it
    return (this.#refreshing ??= this.#exchange().finally(() => (this.#refreshing = null)));
  }

  async #exchange(): Promise<SessionAnswer | null> {
    const before = this.#kept;
    if (!before) return null;
    try {
      const session = await this.#ask(before);
      if (this.#kept === before) await this.#save(keptOf(session, before.device)); // else signed out
      return session;
    } catch (error) {
      if (error instanceof UnionhallError && error.code === SESSION_OVER && this.#kept === before) {
        await this.#save(null);
        this.onOver?.();
      }
      throw error;
    }
  }

  async #ask({ refreshToken, device }: KeptSession): Promise<SessionAnswer> {
    for (let left = REFRESH_TRIES; ; left -= 1) {
      try {
        return await this.#refresh(refreshToken, device, REFRESH_TIMEOUT_MS);
      } catch (error) {
        if (left <= 1 || !(error instanceof UnionhallError && error.isPassing)) throw error;
      }
    }
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    if (!this.#isOpen || !this.#kept) return;
    const leftMs = this.#kept.accessTokenExpiresAt - EARLY_MS - Date.now();
    // Some earlier than others: a server that restarts gets its refreshes spread ten minutes later.
    const waitMs = Math.min(TIMER_MAX_MS, Math.max(1_000, leftMs * (0.9 + 0.1 * Math.random())));
    this.#timer = setTimeout(() => {
      if (isNobodyThere(this.#options)) return this.#schedule(); // who comes back is not late
      this.#renew().catch(() => this.#schedule());
    }, waitMs);
  }
}

function keptOf(session: SessionAnswer, device: string): KeptSession {
  const { accessToken, refreshToken } = session;
  if (accessToken === null || refreshToken === null) throw new UnionhallError(UNAUTHENTICATED);
  return {
    ...{ device, accessToken, refreshToken },
    accessTokenExpiresAt: Date.parse(session.accessTokenExpiresAt),
  };
}

/** 256 bits, as text. */
function secret(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(32));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
