-- The role that the running program takes: owns nothing, creates nothing, is bound by every policy.
DO $$
BEGIN
    CREATE ROLE unionhall_app NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL; -- another database of this cluster, or another process just now, has made it
END
$$;
DO $$
BEGIN
    EXECUTE format('GRANT unionhall_app TO %I', current_user);
EXCEPTION WHEN OTHERS THEN
    NULL; -- a superuser may take every role anyway
END
$$;
GRANT USAGE ON SCHEMA public TO unionhall_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO unionhall_app;
GRANT USAGE, SELECT, UPDATE ON ALL SEQUENCES IN SCHEMA public TO unionhall_app;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO unionhall_app;
-- Evidence is insert-only even for a program that has gone wrong.
DO $$
DECLARE evidence text;
BEGIN
    FOREACH evidence IN ARRAY ARRAY[
        'event', 'audit_entry', 'access_pledge',
        'notice_version', 'notice_recipient', 'notice_receipt'
    ] LOOP
        IF to_regclass('public.' || evidence) IS NOT NULL THEN
            EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE ON %I FROM unionhall_app', evidence);
        END IF;
    END LOOP;
END
$$;
