-- What the models cannot say about the organisation: path segments, shapes, one holder of a seat.
CREATE SEQUENCE IF NOT EXISTS org_union_seq;
COMMENT ON SEQUENCE org_union_seq IS 'Path segments of unions; a number is never used again.';

-- One root. Everything else has a territorial parent; both paths end in the union's own segment.
CREATE UNIQUE INDEX IF NOT EXISTS org_union_one_root
    ON org_union ((territory_parent_id IS NULL)) WHERE territory_parent_id IS NULL;
ALTER TABLE org_union DROP CONSTRAINT IF EXISTS org_union_place_check;
ALTER TABLE org_union ADD CONSTRAINT org_union_place_check CHECK (
    (territory_parent_id IS NULL) = (level = 'federation')
    AND territory_parent_id IS DISTINCT FROM id AND line_parent_id IS DISTINCT FROM id
    AND territory_path ~ '^(/[0-9a-v]+)+/$'
    AND (line_path IS NULL OR line_path ~ '^(/[0-9a-v]+)+/$')
    AND (line_path IS NULL) = (line_parent_id IS NULL AND level <> 'federation')
);
ALTER TABLE org_union DROP CONSTRAINT IF EXISTS org_union_term_check;
ALTER TABLE org_union ADD CONSTRAINT org_union_term_check CHECK (
    term_to_on >= term_from_on AND dissolved_on >= founded_on AND reported_members >= 0
);
ALTER TABLE org_employer DROP CONSTRAINT IF EXISTS org_employer_counts_check;
ALTER TABLE org_employer ADD CONSTRAINT org_employer_counts_check CHECK (
    head_count >= 0 AND contracts_signed BETWEEN 0 AND head_count
    AND (investor_country IS NULL OR investor_country ~ '^[A-Z]{2}$')
);
-- A seat may end on its first day (then it was never in force), not before.
ALTER TABLE org_seat DROP CONSTRAINT IF EXISTS org_seat_period_check;
ALTER TABLE org_seat ADD CONSTRAINT org_seat_period_check CHECK (to_on >= from_on);
CREATE UNIQUE INDEX IF NOT EXISTS org_seat_one_chair
    ON org_seat (union_id) WHERE post = 'chair' AND to_on IS NULL;
CREATE UNIQUE INDEX IF NOT EXISTS org_seat_once
    ON org_seat (union_id, account_id, post) WHERE to_on IS NULL;
ALTER TABLE org_sample_marker DROP CONSTRAINT IF EXISTS org_sample_marker_one_check;
ALTER TABLE org_sample_marker ADD CONSTRAINT org_sample_marker_one_check CHECK (id = 1);

-- The ORM can't make two tables that name each other.
DO $$
BEGIN
    ALTER TABLE org_employer ADD CONSTRAINT org_employer_zone_fk
        FOREIGN KEY (zone_id) REFERENCES org_union (id) ON DELETE RESTRICT;
EXCEPTION WHEN duplicate_object THEN
    NULL; -- made by an earlier run
END
$$;
