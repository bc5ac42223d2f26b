-- One active membership a natural person, in the whole city; also for rows that a policy hides.
CREATE UNIQUE INDEX IF NOT EXISTS member_one_record
    ON member (id_number_index) WHERE state IN ('active', 'retained');
CREATE UNIQUE INDEX IF NOT EXISTS member_membership_one_current
    ON member_membership (member_id) WHERE to_on IS NULL;
ALTER TABLE member_membership DROP CONSTRAINT IF EXISTS member_membership_period_check;
ALTER TABLE member_membership ADD CONSTRAINT member_membership_period_check CHECK (to_on >= from_on);

-- Paths follow their union within the same commit, whoever moves it. The function speaks for the
-- program itself, and only while it runs: who moves a union need not see its members.
CREATE OR REPLACE FUNCTION member_follow_union() RETURNS trigger LANGUAGE plpgsql
SET app.system = 'on' AS $$
BEGIN
    UPDATE member m SET territory_path = u.territory_path, line_path = u.line_path
      FROM moved u
     WHERE m.union_id = u.id
       AND (m.territory_path, m.line_path) IS DISTINCT FROM (u.territory_path, u.line_path);
    RETURN NULL;
END
$$;
DROP TRIGGER IF EXISTS member_follow_union ON org_union;
CREATE TRIGGER member_follow_union AFTER UPDATE ON org_union
    REFERENCING NEW TABLE AS moved FOR EACH STATEMENT EXECUTE FUNCTION member_follow_union();

-- Row-level security. Settings are transaction-local and set by `domain.kernel.database`; each is
-- read once a statement. A missing or empty one matches nothing: a mistake fails closed.
--   app.member     the reader's own record
--   app.territory  paths, comma separated, whose subtrees the reader may see (member.read)
--   app.line       the same in the lines
--   app.collect    the one place at which this transaction was authorised to enter members
--   app.system     'on' for the program itself
ALTER TABLE member ENABLE ROW LEVEL SECURITY;
ALTER TABLE member FORCE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS member_see ON member;
CREATE POLICY member_see ON member FOR SELECT USING (
    territory_path ^@ ANY ((SELECT array_remove(string_to_array(current_setting('app.territory', true), ','), ''))::text[])
    OR line_path ^@ ANY ((SELECT array_remove(string_to_array(current_setting('app.line', true), ','), ''))::text[])
    OR id = (SELECT nullif(current_setting('app.member', true), '')::uuid)
    OR (SELECT current_setting('app.system', true) = 'on')
);
DROP POLICY IF EXISTS member_enter ON member;
CREATE POLICY member_enter ON member FOR INSERT WITH CHECK (
    territory_path = (SELECT nullif(current_setting('app.collect', true), ''))
    OR (SELECT current_setting('app.system', true) = 'on')
);
DROP POLICY IF EXISTS member_change ON member;
CREATE POLICY member_change ON member FOR UPDATE USING (
    territory_path ^@ ANY ((SELECT array_remove(string_to_array(current_setting('app.territory', true), ','), ''))::text[])
    OR line_path ^@ ANY ((SELECT array_remove(string_to_array(current_setting('app.line', true), ','), ''))::text[])
    OR (SELECT current_setting('app.system', true) = 'on')
) WITH CHECK (
    territory_path ^@ ANY ((SELECT array_remove(string_to_array(current_setting('app.territory', true), ','), ''))::text[])
    OR line_path ^@ ANY ((SELECT array_remove(string_to_array(current_setting('app.line', true), ','), ''))::text[])
    OR (SELECT current_setting('app.system', true) = 'on')
);

-- A membership is seen by whoever sees its member's record, and entered with it.
ALTER TABLE member_membership ENABLE ROW LEVEL SECURITY;
ALTER TABLE member_membership FORCE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS member_membership_see ON member_membership;
CREATE POLICY member_membership_see ON member_membership FOR SELECT USING (
    EXISTS (SELECT 1 FROM member m WHERE m.id = member_id)
);
DROP POLICY IF EXISTS member_membership_enter ON member_membership;
CREATE POLICY member_membership_enter ON member_membership FOR INSERT WITH CHECK (
    EXISTS (
        SELECT 1 FROM org_union u WHERE u.id = union_id
           AND u.territory_path = nullif(current_setting('app.collect', true), '')
    )
    OR (SELECT current_setting('app.system', true) = 'on')
);
DROP POLICY IF EXISTS member_membership_change ON member_membership;
CREATE POLICY member_membership_change ON member_membership FOR UPDATE USING (
    EXISTS (SELECT 1 FROM member m WHERE m.id = member_id)
) WITH CHECK ((SELECT current_setting('app.system', true) = 'on'));
