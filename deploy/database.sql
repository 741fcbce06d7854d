-- The database and its two roles, as a superuser or the master user of RDS:
--   psql --dbname postgres --set owner_password=... --set password=... --file deploy/database.sql
-- jobtracker_owner owns the schema and migrates it. jobtracker, of the server and the sweeper, can
-- read and write the rows alone.
\set ON_ERROR_STOP on
CREATE ROLE jobtracker_owner LOGIN PASSWORD :'owner_password';
CREATE ROLE jobtracker LOGIN PASSWORD :'password';
-- Who is no superuser needs it for what follows.
GRANT jobtracker_owner TO CURRENT_USER;
-- Not the locale C, in which lower() knows the letters of ASCII alone.
CREATE DATABASE jobtracker OWNER jobtracker_owner
    TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8';
REVOKE ALL ON DATABASE jobtracker FROM PUBLIC;
GRANT CONNECT ON DATABASE jobtracker TO jobtracker;
\connect jobtracker
GRANT USAGE ON SCHEMA public TO jobtracker;
ALTER DEFAULT PRIVILEGES FOR ROLE jobtracker_owner IN SCHEMA public
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO jobtracker;
