-- The demo application's tables and the analytics tables that jobs/interventions.sql keeps. Running it again changes nothing.
-- psql DSN -v ON_ERROR_STOP=1 -f demo/schema.sql

CREATE TABLE IF NOT EXISTS public.users (
  id bigserial PRIMARY KEY,
  email varchar(160) NOT NULL UNIQUE,
  full_name varchar(120) NOT NULL,
  role varchar(20) NOT NULL DEFAULT 'TECH' CHECK (role IN ('ADMIN', 'DISPATCHER', 'TECH')),
  created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS public.interventions (
  id bigserial PRIMARY KEY,
  reference varchar(50) NOT NULL,
  title varchar(160) NOT NULL,
  description text,
  status varchar(20) NOT NULL DEFAULT 'SCHEDULED' CHECK (status IN ('SCHEDULED', 'IN_PROGRESS', 'COMPLETED', 'VALIDATED')),
  assignment_mode varchar(20) NOT NULL DEFAULT 'AUTO' CHECK (assignment_mode IN ('AUTO', 'MANUAL')),
  planned_at timestamptz NOT NULL,
  started_at timestamptz,
  completed_at timestamptz,
  validated_at timestamptz,
  technician_id bigint REFERENCES public.users (id),
  latitude numeric(9,6),
  longitude numeric(9,6),
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
-- "INT-1" and "int-1" are one reference; the loader's upsert goes by this index
CREATE UNIQUE INDEX IF NOT EXISTS interventions_reference_uq ON public.interventions (lower(reference));
-- what lists and filters of the REST API go by
CREATE INDEX IF NOT EXISTS interventions_planned_at_ix ON public.interventions (planned_at, id);
CREATE INDEX IF NOT EXISTS interventions_technician_ix ON public.interventions (technician_id, planned_at);
CREATE INDEX IF NOT EXISTS interventions_status_ix ON public.interventions (status, planned_at);

CREATE SCHEMA IF NOT EXISTS analytics;

CREATE TABLE IF NOT EXISTS analytics.intervention_daily_metrics (
  metric_date date,
  status varchar(20),
  total_count bigint NOT NULL,
  avg_completion_seconds numeric(12,2),
  validation_ratio numeric(5,2),
  last_refreshed_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (metric_date, status)
);

CREATE TABLE IF NOT EXISTS analytics.intervention_technician_load (
  technician_id bigint PRIMARY KEY,
  open_count bigint NOT NULL,
  completed_today bigint NOT NULL,
  avg_completion_seconds numeric(12,2),
  last_refreshed_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS analytics.intervention_geo_view (
  intervention_id bigint PRIMARY KEY,
  latitude numeric(9,6),
  longitude numeric(9,6),
  status varchar(20),
  technician_id bigint,
  planned_at timestamptz,
  updated_at timestamptz
);
