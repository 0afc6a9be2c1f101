-- The tables that plans.sql and refusals.sql speak of.
CREATE TABLE users (
  id bigserial PRIMARY KEY, email varchar(160) NOT NULL UNIQUE, full_name varchar(120) NOT NULL, role varchar(20) NOT NULL DEFAULT 'TECH');
CREATE TABLE interventions (
  id bigserial PRIMARY KEY, reference varchar(50) NOT NULL, title varchar(160) NOT NULL, description text,
  status varchar(20) NOT NULL DEFAULT 'SCHEDULED', assignment_mode varchar(20) NOT NULL DEFAULT 'AUTO',
  planned_at timestamptz NOT NULL, started_at timestamptz, completed_at timestamptz, validated_at timestamptz,
  technician_id bigint REFERENCES users (id), latitude numeric(9,6), longitude numeric(9,6),
  created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now());
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE DOMAIN amount AS numeric(10,2) CHECK (value >= 0);
CREATE TABLE things (
  id int PRIMARY KEY, a int, b bigint, n numeric, m amount, x float8, t text, c char(5), d date, ts timestamp, iv
  interval, f bool, mo mood, j jsonb,
  arr int[], te text COLLATE "POSIX", narr numeric[], js json, mos mood[]);
CREATE TABLE generated (id int PRIMARY KEY, a int, twice int GENERATED ALWAYS AS (a * 2) STORED);
CREATE VIEW open_interventions AS SELECT id, technician_id, status, planned_at FROM interventions WHERE status IN
  ('SCHEDULED', 'IN_PROGRESS');
CREATE MATERIALIZED VIEW stale AS SELECT count(*) AS n FROM users;
CREATE FUNCTION own(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1';
CREATE COLLATION turkish (provider = icu, locale = 'tr-TR');
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE child () INHERITS (parent);
