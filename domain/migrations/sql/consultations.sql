-- Consultations (心理咨询, 法律援助): what the models cannot say.
--
-- Who may learn of a case is decided by the rows themselves, without SECURITY DEFINER: under FORCE
-- a definer that is no superuser would be bound by the same policies. So the queue is a table of
-- its own, without identity. Policies refer in one direction only (PostgreSQL refuses a circle):
--   case -> queue_entry -> consultant · message -> participant -> conversation · mark, handover -> conversation

-- Values ---------------------------------------------------------------------------------------
ALTER TABLE consultation_consultant DROP CONSTRAINT IF EXISTS consultation_consultant_capacity;
ALTER TABLE consultation_consultant ADD CONSTRAINT consultation_consultant_capacity
    CHECK (capacity BETWEEN 1 AND 20 AND running_count >= 0);
ALTER TABLE consultation_case DROP CONSTRAINT IF EXISTS consultation_case_people;
ALTER TABLE consultation_case ADD CONSTRAINT consultation_case_people CHECK (
    member_account_id <> consultant_account_id
    AND (consultant_id IS NULL) = (consultant_account_id IS NULL)
    AND (consultant_id IS NULL) = (accepted_at IS NULL)
    AND (state <> 'requested' OR consultant_id IS NULL)
    AND (state <> 'running' OR consultant_id IS NOT NULL)
);
ALTER TABLE consultation_mark DROP CONSTRAINT IF EXISTS consultation_mark_order;
ALTER TABLE consultation_mark ADD CONSTRAINT consultation_mark_order
    CHECK (0 <= read_seq AND read_seq <= delivered_seq);

-- Indexes --------------------------------------------------------------------------------------
CREATE UNIQUE INDEX IF NOT EXISTS consultation_case_state ON consultation_case (id, service, state);
CREATE INDEX IF NOT EXISTS consultation_queue_waiting
    ON consultation_queue_entry (service, requested_at, case_id) WHERE state = 'requested';
CREATE UNIQUE INDEX IF NOT EXISTS consultation_participant_now
    ON consultation_participant (conversation_id, account_id) WHERE ended_at IS NULL;
-- What waits unread for somebody is asked for with every home page.
CREATE INDEX IF NOT EXISTS consultation_participant_of
    ON consultation_participant (account_id) WHERE ended_at IS NULL;
CREATE UNIQUE INDEX IF NOT EXISTS consultation_handover_asked
    ON consultation_handover (case_id) WHERE state = 'asked';
-- Every message updates its conversation's row: room for the next version on the same page.
ALTER TABLE consultation_conversation SET (fillfactor = 70);
ALTER TABLE consultation_mark SET (fillfactor = 70);

-- A queue entry's state is its case's state: the database carries it over, past every policy.
DO $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conname = 'consultation_queue_entry_state') THEN
        ALTER TABLE consultation_queue_entry ADD CONSTRAINT consultation_queue_entry_state
            FOREIGN KEY (case_id, service, state) REFERENCES consultation_case (id, service, state)
            ON UPDATE CASCADE;
    END IF;
END
$$;

-- Policies -------------------------------------------------------------------------------------
DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['case', 'queue_entry', 'conversation', 'participant', 'message',
                                'mark', 'handover'] LOOP
        EXECUTE format('ALTER TABLE consultation_%s ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE consultation_%s FORCE ROW LEVEL SECURITY', name);
    END LOOP;
END
$$;

-- A policy a command, and none for DELETE: the running program deletes nothing; erasure destroys keys.
-- "seen" and "changed" are the same people; "made" says who may bring such a row into being.

-- A waiting request: the consultants of its service; one addressed by name: that consultant alone.
-- Its member writes it once and never sees it again.
DROP POLICY IF EXISTS seen ON consultation_queue_entry;
CREATE POLICY seen ON consultation_queue_entry FOR SELECT USING (
    service = (SELECT k.service FROM consultation_consultant k
                WHERE k.id = NULLIF(current_setting('app.consultant', true), '')::uuid)
    AND (addressed_to_id IS NULL
         OR addressed_to_id = (SELECT NULLIF(current_setting('app.consultant', true), '')::uuid)));
DROP POLICY IF EXISTS changed ON consultation_queue_entry;
CREATE POLICY changed ON consultation_queue_entry FOR UPDATE USING (
    service = (SELECT k.service FROM consultation_consultant k
                WHERE k.id = NULLIF(current_setting('app.consultant', true), '')::uuid)
    AND (addressed_to_id IS NULL
         OR addressed_to_id = (SELECT NULLIF(current_setting('app.consultant', true), '')::uuid)));
DROP POLICY IF EXISTS made ON consultation_queue_entry;
CREATE POLICY made ON consultation_queue_entry FOR INSERT WITH CHECK (
    (SELECT NULLIF(current_setting('app.account', true), '')::uuid) IS NOT NULL
    AND state = 'requested' AND taken_by_id IS NULL);

-- A case: its two people; and, while it is being taken, whoever holds its queue entry.
DROP POLICY IF EXISTS seen ON consultation_case;
CREATE POLICY seen ON consultation_case FOR SELECT USING (
    member_account_id = (SELECT NULLIF(current_setting('app.account', true), '')::uuid)
    OR consultant_account_id = (SELECT NULLIF(current_setting('app.account', true), '')::uuid)
    OR (state = 'requested' AND EXISTS (
        SELECT 1 FROM consultation_queue_entry e
         WHERE e.case_id = consultation_case.id AND e.state = 'requested'
           AND e.taken_by_id = NULLIF(current_setting('app.consultant', true), '')::uuid)));
DROP POLICY IF EXISTS changed ON consultation_case;
CREATE POLICY changed ON consultation_case FOR UPDATE USING (
    member_account_id = (SELECT NULLIF(current_setting('app.account', true), '')::uuid)
    OR consultant_account_id = (SELECT NULLIF(current_setting('app.account', true), '')::uuid)
    OR (state = 'requested' AND EXISTS (
        SELECT 1 FROM consultation_queue_entry e
         WHERE e.case_id = consultation_case.id AND e.state = 'requested'
           AND e.taken_by_id = NULLIF(current_setting('app.consultant', true), '')::uuid)));
DROP POLICY IF EXISTS made ON consultation_case;
CREATE POLICY made ON consultation_case FOR INSERT WITH CHECK (
    member_account_id = (SELECT NULLIF(current_setting('app.account', true), '')::uuid)
    AND state = 'requested');

-- A conversation: its two people of this moment. The one who accepts opens it.
DROP POLICY IF EXISTS seen ON consultation_conversation;
CREATE POLICY seen ON consultation_conversation FOR SELECT USING (
    member_account_id = (SELECT NULLIF(current_setting('app.account', true), '')::uuid)
    OR consultant_account_id = (SELECT NULLIF(current_setting('app.account', true), '')::uuid));
DROP POLICY IF EXISTS changed ON consultation_conversation;
CREATE POLICY changed ON consultation_conversation FOR UPDATE USING (
    member_account_id = (SELECT NULLIF(current_setting('app.account', true), '')::uuid)
    OR consultant_account_id = (SELECT NULLIF(current_setting('app.account', true), '')::uuid));
DROP POLICY IF EXISTS made ON consultation_conversation;
CREATE POLICY made ON consultation_conversation FOR INSERT WITH CHECK (
    consultant_account_id = (SELECT NULLIF(current_setting('app.account', true), '')::uuid));

-- Spans, marks and hand-overs: whoever is shown the conversation; who was handed over from is not.
DO $$
DECLARE
    name text;
    shown text := '(EXISTS (SELECT 1 FROM consultation_conversation v WHERE v.id = conversation_id))';
BEGIN
    FOREACH name IN ARRAY ARRAY['participant', 'mark', 'handover'] LOOP
        EXECUTE format('DROP POLICY IF EXISTS seen ON consultation_%s', name);
        EXECUTE format('DROP POLICY IF EXISTS changed ON consultation_%s', name);
        EXECUTE format('DROP POLICY IF EXISTS made ON consultation_%s', name);
        EXECUTE format('CREATE POLICY seen ON consultation_%s FOR SELECT USING %s', name, shown);
        EXECUTE format('CREATE POLICY changed ON consultation_%s FOR UPDATE USING %s', name, shown);
        EXECUTE format('CREATE POLICY made ON consultation_%s FOR INSERT WITH CHECK %s', name, shown);
    END LOOP;
END
$$;

-- A message: who takes part now, from where they came in. None is ever changed.
DROP POLICY IF EXISTS seen ON consultation_message;
CREATE POLICY seen ON consultation_message FOR SELECT USING (EXISTS (
    SELECT 1 FROM consultation_participant p
     WHERE p.conversation_id = consultation_message.conversation_id
       AND p.account_id = NULLIF(current_setting('app.account', true), '')::uuid
       AND p.ended_at IS NULL AND consultation_message.seq >= p.from_seq));
DROP POLICY IF EXISTS made ON consultation_message;
CREATE POLICY made ON consultation_message FOR INSERT WITH CHECK (
    sender_account_id = (SELECT NULLIF(current_setting('app.account', true), '')::uuid)
    AND EXISTS (SELECT 1 FROM consultation_conversation v
                 WHERE v.id = conversation_id AND v.closed_at IS NULL));

-- Sending, when the sender's process knows the conversation as it stands: a whole work, alone or with
-- others in one call, of one statement after the other, under the same policies as ever. Anything else
-- than known, and nothing is done: no row is answered, and the sender goes the ordinary way
-- (domain/consultations/sending.py). Nobody waits for a conversation here, so that none holds up the
-- others: one that somebody else is writing to is not as known. What is waited for is the streams'
-- counters, last and in sorted order as by all who write, so no two calls wait for each other; and those
-- for a second, a hundred times what a commit takes: then the writer before is ill, and each goes alone.

-- How many of the two facts have happened: the second is for whoever had read everything before. 0: nothing was done.
CREATE OR REPLACE FUNCTION consultation_put(
    asker jsonb, happened_at timestamptz,
    talk uuid, member uuid, consultant uuid, sender uuid, as_role text, number bigint, message uuid,
    given_key uuid, sealed bytea
) RETURNS integer LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    PERFORM app_context(asker);
    PERFORM 1 FROM consultation_conversation v
      WHERE v.id = talk AND v.closed_at IS NULL AND v.top_seq = number - 1
        AND v.member_account_id = member AND v.consultant_account_id = consultant
        FOR NO KEY UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    -- The key may be there already, even where the policies no longer show it.
    INSERT INTO consultation_message
        (id, conversation_id, seq, sender_account_id, role, client_key, body, sent_at)
    VALUES (message, talk, number, sender, as_role, given_key, sealed, happened_at)
    ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    UPDATE consultation_conversation v SET top_seq = number WHERE v.id = talk;
    RETURN CASE WHEN EXISTS (
        SELECT 1 FROM consultation_mark k WHERE k.conversation_id = talk
           AND k.account_id = CASE member WHEN sender THEN consultant ELSE member END
           AND k.read_seq = number - 1) THEN 2 ELSE 1 END;
END
$$;

-- One message. Answers where the streams stand.
CREATE OR REPLACE FUNCTION consultation_send(
    asker jsonb, facts jsonb, new_epoch text, happened_at timestamptz,
    talk uuid, member uuid, consultant uuid, sender uuid, as_role text, number bigint, message uuid,
    given_key uuid, sealed bytea
) RETURNS TABLE (id text, epoch text, top bigint, authority_version bigint)
LANGUAGE plpgsql SET lock_timeout = '1s' AS $$
#variable_conflict use_column
DECLARE kept integer := consultation_put(asker, happened_at, talk, member, consultant, sender, as_role,
                                         number, message, given_key, sealed);
BEGIN
    IF kept > 0 THEN
        RETURN QUERY SELECT a.id, a.epoch, a.top, a.authority_version
          FROM stream_append(CASE kept WHEN 1 THEN facts - 1 ELSE facts END, new_epoch, happened_at) a;
    END IF;
END
$$;

-- Many, each by whoever sends it: [{asker, facts, at, given: the other values}, …].
CREATE OR REPLACE FUNCTION consultation_send_many(works jsonb, new_epoch text)
RETURNS TABLE (work bigint, id text, epoch text, top bigint, authority_version bigint)
LANGUAGE plpgsql SET lock_timeout = '1s' AS $$
#variable_conflict use_column
DECLARE
    one jsonb;
    given jsonb;
    kept integer[];
BEGIN
    FOR one IN SELECT e.value FROM jsonb_array_elements(works) WITH ORDINALITY e ORDER BY e.ordinality LOOP
        given := one->'given';
        kept := kept || consultation_put(
            one->'asker', (one->>'at')::timestamptz,
            (given->>0)::uuid, (given->>1)::uuid, (given->>2)::uuid, (given->>3)::uuid, given->>4,
            (given->>5)::bigint, (given->>6)::uuid, (given->>7)::uuid, decode(given->>8, 'base64'));
    END LOOP;
    IF 0 < ANY (kept) THEN
        RETURN QUERY SELECT a.work, a.id, a.epoch, a.top, a.authority_version
                       FROM stream_append_many(works, kept, new_epoch) a;
    END IF;
END
$$;
