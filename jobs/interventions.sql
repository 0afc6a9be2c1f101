-- The dashboard's tables over public.interventions: demo/schema.sql makes them.
--
-- No time zone is named: a day is a day of the session's zone, which for a job is the setting job.timezone. Run by psql over empty
-- tables, the same text is the batch recompute.

-- One row per local day of planned_at and status. The ratio stands on the VALIDATED row: of the interventions of that day that are
-- finished, how many are validated, in percent.
INSERT INTO analytics.intervention_daily_metrics (metric_date, status, total_count, avg_completion_seconds, validation_ratio)
SELECT d.metric_date, d.status, d.total_count, d.avg_completion_seconds,
       CASE WHEN d.status = 'VALIDATED' THEN (100 * d.total_count::numeric / f.finished_count)::numeric(5,2) END
FROM (SELECT planned_at::date AS metric_date, status, count(*) AS total_count,
             avg(extract(epoch FROM completed_at - started_at))::numeric(12,2) AS avg_completion_seconds
      FROM public.interventions
      GROUP BY planned_at::date, status) d
JOIN (SELECT planned_at::date AS metric_date, count(*) FILTER (WHERE status IN ('COMPLETED', 'VALIDATED')) AS finished_count
      FROM public.interventions
      GROUP BY planned_at::date) f ON f.metric_date = d.metric_date;

-- One row per technician: what is open, what was finished today, and how long work takes.
INSERT INTO analytics.intervention_technician_load (technician_id, open_count, completed_today, avg_completion_seconds)
SELECT technician_id,
       count(*) FILTER (WHERE status IN ('SCHEDULED', 'IN_PROGRESS')) AS open_count,
       count(*) FILTER (WHERE status IN ('COMPLETED', 'VALIDATED') AND completed_at::date = CURRENT_DATE) AS completed_today,
       avg(extract(epoch FROM completed_at - started_at))::numeric(12,2) AS avg_completion_seconds
FROM public.interventions
WHERE technician_id IS NOT NULL
GROUP BY technician_id;

-- One row per intervention that has a place on the map.
INSERT INTO analytics.intervention_geo_view (intervention_id, latitude, longitude, status, technician_id, planned_at, updated_at)
SELECT id, latitude, longitude, status, technician_id, planned_at, updated_at
FROM public.interventions
WHERE latitude IS NOT NULL AND longitude IS NOT NULL;
