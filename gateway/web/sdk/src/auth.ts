/** Whether somebody is there, as the program knows it. */
export interface Attendance {
  /**
   * Asked whenever something is sent, and before a refresh in the background: with nobody there it is
   * no use of the session, so that an unattended screen becomes idle. Always, unless given.
   */
  readonly isAttended?: (() => boolean) | undefined;
}

/** How a client says who it is. */
export interface Auth extends Attendance {
  /** How `signIn` asks for the session. */
  readonly heldAs: "BROWSER" | "APP" | null;
  /**
   * The bearer token to send now; null: none, the browser's cookie counts. `isUnattended`: for a socket that
   * comes back by itself with nobody there, for which nothing is refreshed.
   * Raises UnionhallError when a token cannot be had.
   */
  token(isUnattended?: boolean): Promise<string | null>;
  /** The server did not take `token`. Whether asking again may do better; called once for each refusal. */
  refused(token: string | null, isUnattended?: boolean): Promise<boolean>;
  /** Signed in: the answer of `signIn`. */
  keep(session: SessionAnswer): Promise<void>;
  /** Signed out: forget the session here, before anybody is asked or told. */
  leave(): Leave;
  /** The device's own secret for `signIn`; null where there is none. */
  device(): Promise<string | null>;
  /** The socket is open (or no more): a session that needs it is kept fresh meanwhile. */
  attend(isOpen: boolean): void;
  /** Called when the session is over for good. */
  onOver: (() => void) | null;
}

/** A session that is given up here. */
export interface Leave {
  /** Resolves when nothing of it is kept any more. */
  readonly forgotten: Promise<void>;
  /** A token to tell the server with, as `token` gives one; it may be asked for over the network. */
  token(): Promise<string | null>;
}

/** What `signIn` and `refreshSession` answer. */
export interface SessionAnswer {
  readonly sessionId: string;
  readonly accessToken: string | null;
  readonly accessTokenExpiresAt: string;
  readonly refreshToken: string | null;
  readonly expiresAt: string;
}

/** Builds the way to say who it is; `refresh` exchanges a refresh token over HTTP. */
export type AuthMaker = (refresh: Refresh) => Auth;
export type Refresh = (refreshToken: string, device: string, timeoutMs: number) => Promise<SessionAnswer>;

/** What is said with it then: no use of the session. */
export const NOBODY_THERE = { rt: { attended: false } } as const;

/** Whether what is done now is done with nobody there. */
export function isNobodyThere(auth: Attendance): boolean {
  return auth.isAttended?.() === false;
}

/** For browsers (the default): an HttpOnly cookie that no script sees. There is nothing to refresh. */
export function cookie({ isAttended }: Attendance = {}): AuthMaker {
  return () => ({
    isAttended,
    heldAs: "BROWSER",
    token: async () => null,
    refused: async () => false,
    keep: async () => {},
    leave: () => ({ forgotten: Promise.resolve(), token: async () => null }),
    device: async () => null,
    attend: () => {},
    onOver: null,
  });
}

/** For programs that get their token elsewhere; `token` is asked before each use and after each refusal. */
export function token(
  provide: (refusedToken: string | null) => string | Promise<string>,
  { isAttended }: Attendance = {},
): AuthMaker {
  return () => {
    let refusedToken: string | null = null;
    const given = async (): Promise<string> => await provide(refusedToken);
    return {
      isAttended,
      heldAs: null,
      token: () => given(),
      refused: async (old) => {
        const isNews = old !== refusedToken;
        refusedToken = old;
        return isNews;
      },
      keep: async () => {},
      leave: () => ({ forgotten: Promise.resolve(), token: given }),
      device: async () => null,
      attend: () => {},
      onOver: null,
    };
  };
}
