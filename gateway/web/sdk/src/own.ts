/**
 * The operations that this module sends by itself. A server that is bound to trusted documents knows
 * them: they stand in persisted-documents.json, which is registered with it.
 */
const FIELDS = "sessionId accessToken accessTokenExpiresAt refreshToken expiresAt";
export const SIGN_IN = `mutation SignIn($input:SignInInput!){signIn(input:$input){${FIELDS}}}`;
export const REFRESH = `mutation RefreshSession($input:RefreshSessionInput!){refreshSession(input:$input){${FIELDS}}}`;
export const SIGN_OUT = "mutation SignOut{signOut{endedCount}}";
export const SIGN_OUT_EVERYWHERE = "mutation SignOutEverywhere{signOutEverywhere{endedCount}}";
