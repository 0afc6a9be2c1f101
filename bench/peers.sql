-- The three tables of jobs/interventions.sql as an Apache Flink 1.19 job over the flattened topic, for bench/peers.py. Days are UTC's.
-- ${...} is filled in by the caller. Three things are Flink's way: its CURRENT_DATE does not move with the clock, so the day comes from a
-- topic of one record; its JDBC sink takes no TIMESTAMP_LTZ; and a join sees one side of a change before the other, so that a day of no
-- finished interventions may have validated ones for a moment: NULLIF.
SET 'pipeline.name' = 'interventions';
SET 'table.local-time-zone' = 'UTC';
SET 'parallelism.default' = '1';
SET 'execution.checkpointing.interval' = '10 s';
SET 'execution.buffer-timeout.interval' = '0 ms';

CREATE TABLE topic (
  id BIGINT, status STRING, planned_at TIMESTAMP_LTZ(6), started_at TIMESTAMP_LTZ(6), completed_at TIMESTAMP_LTZ(6), technician_id BIGINT,
  latitude DECIMAL(9, 6), longitude DECIMAL(9, 6), updated_at TIMESTAMP_LTZ(6), `__deleted` STRING, PRIMARY KEY (id) NOT ENFORCED
) WITH ('connector' = 'upsert-kafka', 'topic' = '${TOPIC}', 'properties.bootstrap.servers' = '${KAFKA}', 'properties.group.id' = '${TOPIC}',
  'key.format' = 'json', 'value.format' = 'json', 'value.json.timestamp-format.standard' = 'ISO-8601');

CREATE TABLE today (k INT, d DATE, PRIMARY KEY (k) NOT ENFORCED)
WITH ('connector' = 'upsert-kafka', 'topic' = '${CLOCK}', 'properties.bootstrap.servers' = '${KAFKA}', 'properties.group.id' = '${TOPIC}',
  'key.format' = 'json', 'value.format' = 'json');

CREATE VIEW alive AS
SELECT *, CAST(planned_at AS DATE) AS planned_day, CAST(completed_at AS DATE) AS completed_day,
  (TIMESTAMPDIFF(SECOND, TO_TIMESTAMP_LTZ(1500000000, 0), completed_at)
    - TIMESTAMPDIFF(SECOND, TO_TIMESTAMP_LTZ(1500000000, 0), started_at)) * CAST(1000000 AS BIGINT)
    + EXTRACT(MICROSECOND FROM completed_at) - EXTRACT(MICROSECOND FROM started_at) AS took_us
FROM topic WHERE `__deleted` = 'false';

CREATE VIEW finished AS
SELECT technician_id, completed_day, COUNT(*) AS n FROM alive
WHERE technician_id IS NOT NULL AND completed_day IS NOT NULL AND status IN ('COMPLETED', 'VALIDATED')
GROUP BY technician_id, completed_day;

CREATE TABLE daily (
  metric_date DATE, status STRING, total_count BIGINT, avg_completion_seconds DECIMAL(12, 2), validation_ratio DECIMAL(5, 2),
  PRIMARY KEY (metric_date, status) NOT ENFORCED
) WITH (${JDBC}, 'table-name' = 'analytics.intervention_daily_metrics');

CREATE TABLE technicians (
  technician_id BIGINT, open_count BIGINT, completed_today BIGINT, avg_completion_seconds DECIMAL(12, 2),
  PRIMARY KEY (technician_id) NOT ENFORCED
) WITH (${JDBC}, 'table-name' = 'analytics.intervention_technician_load');

CREATE TABLE geo (
  intervention_id BIGINT, latitude DECIMAL(9, 6), longitude DECIMAL(9, 6), status STRING, technician_id BIGINT, planned_at TIMESTAMP(6),
  updated_at TIMESTAMP(6), PRIMARY KEY (intervention_id) NOT ENFORCED
) WITH (${JDBC}, 'table-name' = 'analytics.intervention_geo_view');

EXECUTE STATEMENT SET BEGIN

INSERT INTO daily
SELECT s.planned_day, s.status, s.n, s.mean,
  CASE WHEN s.status = 'VALIDATED' THEN
    CAST(100 * CAST(d.validated AS DECIMAL(16, 0)) / CAST(NULLIF(d.finished, 0) AS DECIMAL(16, 0)) AS DECIMAL(5, 2)) END
FROM (SELECT planned_day, status, COUNT(*) AS n,
    CAST(CAST(SUM(took_us) AS DECIMAL(19, 0)) / CAST(COUNT(took_us) * 1000000 AS DECIMAL(16, 0)) AS DECIMAL(12, 2)) AS mean
  FROM alive GROUP BY planned_day, status) s
JOIN (SELECT planned_day, COUNT(*) FILTER (WHERE status = 'VALIDATED') AS validated,
    COUNT(*) FILTER (WHERE status IN ('COMPLETED', 'VALIDATED')) AS finished FROM alive GROUP BY planned_day) d
  ON s.planned_day = d.planned_day;

INSERT INTO technicians
SELECT t.technician_id, t.open_count, COALESCE(f.n, CAST(0 AS BIGINT)), t.mean
FROM (SELECT technician_id, COUNT(*) FILTER (WHERE status IN ('SCHEDULED', 'IN_PROGRESS')) AS open_count,
    CAST(CAST(SUM(took_us) AS DECIMAL(19, 0)) / CAST(COUNT(took_us) * 1000000 AS DECIMAL(16, 0)) AS DECIMAL(12, 2)) AS mean
  FROM alive WHERE technician_id IS NOT NULL GROUP BY technician_id) t
LEFT JOIN (SELECT finished.technician_id, finished.n FROM finished JOIN today ON finished.completed_day = today.d) f
  ON t.technician_id = f.technician_id;

INSERT INTO geo
SELECT id, latitude, longitude, status, technician_id, CAST(planned_at AS TIMESTAMP(6)), CAST(updated_at AS TIMESTAMP(6))
FROM alive WHERE latitude IS NOT NULL AND longitude IS NOT NULL;

END;
