-- Distributes the tables among the workers of a Citus cluster, as a superuser, in a database that
-- has the extension, knows its workers, and is migrated:
--   psql --dbname jobtracker --file deploy/citus.sql
-- With --set activity_per_job=... and --set history_per_job=... where the settings quotas.* are not
-- the default ones. It can be repeated, and has to be after a migration that adds a table.
-- docs/decisions/citus.md has what it decides.
\set ON_ERROR_STOP on

-- The quotas that triggers apply: the connections of the server end at the coordinator. Citus sets
-- these parameters on the workers too.
\if :{?activity_per_job} \else \set activity_per_job 1000 \endif
\if :{?history_per_job} \else \set history_per_job 200 \endif
SELECT format('ALTER DATABASE %I SET %s = %L', current_database(), name, value)
FROM (VALUES ('jobtracker.activity_per_job', :'activity_per_job'),
             ('jobtracker.history_per_job', :'history_per_job'),
             ('citus.enable_unsafe_triggers', 'on')) AS parameters (name, value) \gexec

-- The triggers of a table only touch rows of the same user, which are on the same shard.
SET citus.enable_unsafe_triggers = on;

-- All tables that have a user, after those that they reference. Those that have none remain local
-- tables of the coordinator.
SELECT format('SELECT create_distributed_table(%L, %L, colocate_with => %L)', relname,
              CASE relname WHEN 'users' THEN 'id' WHEN 'identities' THEN 'sub' ELSE 'user_id' END,
              CASE WHEN relname IN ('users', 'identities') THEN 'none' ELSE 'users' END)
FROM pg_class
WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'
    AND (relname = 'users' OR EXISTS (
        SELECT FROM pg_attribute WHERE attrelid = pg_class.oid AND attname = 'user_id'))
    AND NOT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = pg_class.oid)
ORDER BY relname <> 'users', relname <> 'jobs', relname \gexec

-- What triggers call, on the workers too. Citus itself does so with functions that are replaced.
SELECT format('SELECT create_distributed_function(%L)', pg_proc.oid::regprocedure)
FROM pg_proc
WHERE pronamespace = current_schema()::regnamespace AND prokind = 'f'
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_dist_object
                    WHERE classid = 'pg_proc'::regclass AND objid = pg_proc.oid)
    AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_proc.oid AND deptype = 'e') \gexec
