-- == daily: the shipped ratio as a join of two grouped queries
SET timezone = 'Europe/Paris';
INSERT INTO analytics.intervention_daily_metrics (metric_date, status, total_count, avg_completion_seconds, validation_ratio)
WITH d AS (SELECT planned_at::date AS metric_date, status, count(*) AS total_count,
                  avg(extract(epoch FROM completed_at - started_at))::numeric(12,2) AS avg_completion_seconds
           FROM interventions GROUP BY 1, 2),
     t AS (SELECT planned_at::date AS metric_date, count(*) FILTER (WHERE status IN ('COMPLETED', 'VALIDATED')) AS done
           FROM interventions GROUP BY 1)
SELECT d.metric_date, d.status, d.total_count, d.avg_completion_seconds,
       CASE WHEN d.status = 'VALIDATED' THEN (100 * d.total_count::numeric / t.done)::numeric(5,2) END
FROM d JOIN t USING (metric_date);
-- == load
INSERT INTO analytics.intervention_technician_load (technician_id, open_count, completed_today, avg_completion_seconds)
SELECT technician_id, count(*) FILTER (WHERE status IN ('SCHEDULED', 'IN_PROGRESS')) AS open_count,
       count(*) FILTER (WHERE status IN ('COMPLETED', 'VALIDATED')
                        AND (completed_at AT TIME ZONE 'Europe/Paris')::date = (now() AT TIME ZONE
  'Europe/Paris')::date) AS completed_today,
       avg(extract(epoch FROM completed_at - started_at))::numeric(12,2) AS avg_completion_seconds
FROM interventions WHERE technician_id IS NOT NULL GROUP BY 1;
-- == geo
INSERT INTO analytics.intervention_geo_view SELECT id AS intervention_id, latitude, longitude, status, technician_id, planned_at, updated_at
FROM interventions WHERE latitude IS NOT NULL AND longitude IS NOT NULL;
-- == write time
INSERT INTO x (id, at) SELECT id, now() FROM users;
-- == left join with conditions on both sides
INSERT INTO x SELECT i.id, u.full_name FROM interventions i
  LEFT JOIN users u ON u.id = i.technician_id AND u.role = 'TECH' AND i.status <> 'VALIDATED' WHERE i.id > 10 AND u.email IS NULL;
-- == right join
INSERT INTO x SELECT i.id, u.id FROM interventions i RIGHT JOIN users u ON u.id = i.technician_id;
-- == comma join takes its keys from where
INSERT INTO x SELECT i.id, u.email FROM interventions i, users u WHERE i.technician_id = u.id AND u.role LIKE 'T%' AND i.id > u.id;
-- == having and expressions over aggregates
INSERT INTO x SELECT a % 10 AS k, sum(n) / nullif(count(*), 0) AS r, max(d) - min(d) AS days FROM things GROUP BY a %
  10 HAVING count(*) > 1 AND sum(b) IS NOT NULL;
-- == aggregate without group
INSERT INTO x SELECT count(*), sum(a), avg(x), bool_and(f), count(DISTINCT t) FROM things;
-- == grouping by a primary key
INSERT INTO x SELECT u.id, u.full_name, count(i.id) FROM users u LEFT JOIN interventions i ON i.technician_id = u.id GROUP BY u.id;
-- == distinct and union
INSERT INTO x SELECT DISTINCT a, b FROM things UNION ALL SELECT id, a FROM things;
-- == union without all
INSERT INTO x SELECT a FROM things UNION SELECT b FROM things;
-- == views of the database are inlined
INSERT INTO x SELECT o.technician_id, count(*) FROM open_interventions o WHERE planned_at < now() GROUP BY 1;
-- == clock forms
INSERT INTO x SELECT id FROM interventions WHERE planned_at >= now() - interval '7 days' AND planned_at::date <> CURRENT_DATE;
-- == truncated clock
INSERT INTO x SELECT date_trunc('hour', now()) AS h, count(*) FROM interventions GROUP BY 1;
-- == case forms
INSERT INTO x SELECT id, CASE a WHEN 1 THEN 'one' WHEN 2 THEN 'two' END, CASE WHEN f THEN n END, coalesce(a, b, 0),
  greatest(a, 3), least(n, 1.5) FROM things;
-- == constants are folded
INSERT INTO x SELECT id, 1 + 2 * 3, 'a' || 'b', date '2024-02-29' + interval '1 year', 10::numeric / 4, 1 / 0 FROM things;
-- == domains, enums and characters
INSERT INTO x SELECT id, m * 2, mo = 'ok', c = 'ab', t || a, concat(a, t) FROM things;
-- == enums are ordered by their labels' places
INSERT INTO x SELECT id, mo > 'sad', mo::text, greatest(mo, 'ok') FROM things WHERE mo BETWEEN 'ok' AND 'happy' AND mo IN ('ok', 'happy');
-- == ends of an enum
INSERT INTO x SELECT a, min(mo), max(mo), count(DISTINCT mo) FROM things GROUP BY a;
-- == arrays as values
INSERT INTO x SELECT arr, count(*), count(narr) FROM things WHERE arr <> '{ 1, 2 }' AND mos IS NOT NULL GROUP BY arr;
-- == a subquery as a value is a column beside
INSERT INTO x SELECT id, n / (SELECT sum(n) FROM things) AS share FROM things WHERE b > (SELECT avg(b) FROM things);
-- == not in
INSERT INTO x SELECT id FROM users WHERE id NOT IN (SELECT technician_id FROM interventions);
-- == order by bytes
INSERT INTO x SELECT min(t COLLATE "C"), max(te) FROM things WHERE te > 'a';
-- == in lists and ranges
INSERT INTO x SELECT id FROM things WHERE a IN (1, 2, NULL) AND b NOT IN (3, 4) AND n BETWEEN 1 AND 2 AND d IS DISTINCT
  FROM '2024-01-01' AND f IS NOT TRUE;
-- == two statements share their tables
INSERT INTO x SELECT id, a FROM things; INSERT INTO y SELECT b, count(*) FROM things GROUP BY b;
-- == subquery in from with column aliases
INSERT INTO x SELECT s.p, s.q + 1 FROM (SELECT id, a FROM things WHERE f) AS s (p, q) WHERE s.q > 0;
-- == a generated column that is not used does not matter
INSERT INTO x SELECT id, a FROM generated;
-- == names may repeat
INSERT INTO x SELECT id, id, count(*), count(*) FROM things GROUP BY id;
-- == a star
INSERT INTO x SELECT * FROM users WHERE id > 3;
-- == in, exists and not exists become joins
INSERT INTO x SELECT id FROM users u WHERE id IN (SELECT technician_id FROM interventions)
  AND EXISTS (SELECT 1 FROM interventions i WHERE i.technician_id = u.id AND i.status = 'VALIDATED')
  AND NOT EXISTS (SELECT 1 FROM things t WHERE t.t = u.email) AND role = 'TECH';
