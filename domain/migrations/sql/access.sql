-- No row-level security on accounts, sessions, refresh tokens, attempts and grants, on purpose:
-- they are read to find out who asks, before there is an actor whose settings a policy could use.
-- They hold ids, keyed digests and password hashes; nothing personal in clear. What an account may
-- see of others' rows is decided by the slice's access functions.
-- access_pledge is evidence: server_role.sql takes UPDATE and DELETE from the running program.

CREATE INDEX IF NOT EXISTS access_session_live
    ON access_session (account_id) WHERE ended_at IS NULL;
CREATE INDEX IF NOT EXISTS access_grant_live
    ON access_grant (account_id) WHERE revoked_at IS NULL;
-- Two sign-ins must not grant the same twice; a revoked grant may be given again.
CREATE UNIQUE INDEX IF NOT EXISTS access_grant_once
    ON access_grant (account_id, role, union_id, hierarchy, valid_from) WHERE revoked_at IS NULL;
-- The last use of a session is updated in place (no index on seen_at, room on the page).
ALTER TABLE access_session SET (fillfactor = 80);
ALTER TABLE access_attempt SET (fillfactor = 80);
