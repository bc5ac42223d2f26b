-- What the models cannot say about notices: kinds, bounds, evidence that cannot be changed.
-- Of these tables only `notice` and `notice_board` may ever be updated.
ALTER TABLE notice DROP CONSTRAINT IF EXISTS notice_state_check;
ALTER TABLE notice ADD CONSTRAINT notice_state_check CHECK (
    (state = 'published' AND withdrawn_at IS NULL)
    OR (state = 'withdrawn' AND withdrawn_at IS NOT NULL AND withdrawal_reason IS NOT NULL)
);
ALTER TABLE notice_receipt DROP CONSTRAINT IF EXISTS notice_receipt_kind_check;
ALTER TABLE notice_receipt ADD CONSTRAINT notice_receipt_kind_check CHECK (
    kind IN ('delivered', 'read', 'confirmed') AND (kind = 'confirmed' OR NOT is_late)
);
ALTER TABLE notice_version DROP CONSTRAINT IF EXISTS notice_version_body_check;
ALTER TABLE notice_version ADD CONSTRAINT notice_version_body_check CHECK (length(body) <= 20000);

-- The server's role may not change receipts at all; this also binds the owner and later roles.
CREATE OR REPLACE FUNCTION notice_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is evidence: rows are inserted, never changed', TG_TABLE_NAME;
END
$$;
DO $$
DECLARE evidence text;
BEGIN
    FOREACH evidence IN ARRAY ARRAY['notice_version', 'notice_recipient', 'notice_receipt'] LOOP
        EXECUTE format('DROP TRIGGER IF EXISTS %I ON %I', evidence || '_is_evidence', evidence);
        EXECUTE format(
            'CREATE TRIGGER %I BEFORE UPDATE OR DELETE ON %I'
            ' FOR EACH STATEMENT EXECUTE FUNCTION notice_refuse_change()',
            evidence || '_is_evidence', evidence
        );
    END LOOP;
END
$$;

-- Who may make a receipt: the officer itself; and the program, of the kind "delivered" alone, for
-- what it has pushed (domain/notices/deliveries.py). Who may read them is decided by the notice.
ALTER TABLE notice_receipt ENABLE ROW LEVEL SECURITY;
ALTER TABLE notice_receipt FORCE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS seen ON notice_receipt;
CREATE POLICY seen ON notice_receipt FOR SELECT USING (true);
DROP POLICY IF EXISTS made ON notice_receipt;
CREATE POLICY made ON notice_receipt FOR INSERT WITH CHECK (
    account_id = (SELECT NULLIF(current_setting('app.account', true), '')::uuid)
    OR (kind = 'delivered' AND (SELECT current_setting('app.system', true)) = 'on'));

-- What receipts given before this table came prove; to count everything anew, empty it and run this.
INSERT INTO notice_reached (notice_id, step, union_id)
SELECT DISTINCT c.notice_id, s.step, c.union_id
  FROM notice_receipt c CROSS JOIN LATERAL unnest(CASE
      WHEN c.kind = 'delivered' THEN ARRAY['delivered']
      WHEN c.kind = 'read' THEN ARRAY['delivered', 'read']
      WHEN c.is_late THEN ARRAY['delivered', 'read', 'confirmed']
      ELSE ARRAY['delivered', 'read', 'confirmed', 'in_time'] END) AS s(step)
 WHERE NOT EXISTS (SELECT 1 FROM notice_reached)
ON CONFLICT (notice_id, step, union_id) DO NOTHING;

-- An ordinary confirmation as a whole work: of the newest version of a notice in force that asks for
-- it, in time, for an addressed union, the account's first. Else it does nothing and answers no row:
-- domain/notices/receipts.py then goes the long way, where the rules say what is the matter.
CREATE OR REPLACE FUNCTION notice_confirm(
    asker jsonb, facts jsonb, new_epoch text, happened_at timestamptz,
    of_notice uuid, of_union uuid, of_account uuid, of_version int, steps text[]
) RETURNS TABLE (id text, epoch text, top bigint, authority_version bigint) LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    PERFORM app_context(asker);
    INSERT INTO notice_receipt (notice_id, version_no, union_id, account_id, kind, at, is_late)
    SELECT n.id, n.current_no, r.union_id, of_account, 'confirmed', happened_at, false
      FROM notice n JOIN notice_recipient r ON r.notice_id = n.id AND r.union_id = of_union
     WHERE n.id = of_notice AND n.state = 'published' AND n.wants_confirmation
       AND n.current_no = of_version AND (n.reply_by IS NULL OR happened_at <= n.reply_by)
    ON CONFLICT (notice_id, union_id, account_id, kind) DO NOTHING;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    INSERT INTO notice_reached (notice_id, step, union_id)
    SELECT of_notice, s.step, of_union FROM unnest(steps) AS s(step) ORDER BY s.step
    ON CONFLICT (notice_id, step, union_id) DO NOTHING;
    RETURN QUERY SELECT 'done', '', 0::bigint, 0::bigint;
END
$$;

-- The counters of a board are rewritten twice a second while receipts come in: keep room beside them.
ALTER TABLE notice_board SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);
