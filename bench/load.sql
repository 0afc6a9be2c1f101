-- The loads of bench.py over the tables of demo/schema.sql: deterministic rows, so that every run writes the same log.
-- About 250 bytes a row in the heap, 365 days of one year, four statuses, 200 technicians, every row on the map.
INSERT INTO users (email, full_name) SELECT 'bench' || n || '@example.org', 'Technician ' || n FROM generate_series(1, 200) n;

CREATE SCHEMA bench;

-- rows from..upto in one statement
CREATE FUNCTION bench.put(lo bigint, hi bigint) RETURNS void LANGUAGE sql AS $$
  INSERT INTO interventions (reference, title, description, status, assignment_mode, planned_at, started_at, completed_at, validated_at,
                             technician_id, latitude, longitude)
  SELECT 'REF-' || lpad(n::text, 9, '0'), 'Fuite d''eau au sous-sol, dossier ' || n, 'Prévenir le gardien, porte ' || md5(n::text),
         (ARRAY['SCHEDULED', 'IN_PROGRESS', 'COMPLETED', 'VALIDATED'])[1 + n % 4], (ARRAY['AUTO', 'AUTO', 'MANUAL'])[1 + n % 3], at,
         CASE WHEN n % 4 >= 1 THEN at + interval '4 minutes' END,
         CASE WHEN n % 4 >= 2 THEN at + interval '4 minutes' + n % 7000 * interval '1.000321 seconds' END,
         CASE WHEN n % 4 = 3 THEN at + interval '20 hours' END,
         1 + n * 37 % 200, 42 + n % 90001 / 20000.0, -2 + n % 70001 / 20000.0
  FROM (SELECT n, timestamptz '2026-01-01 00:00+00' + n * 7907 % 31536000 * interval '1 second' AS at FROM generate_series(lo, hi) n) rows
$$;

-- how_many more rows, per_commit in each transaction
CREATE PROCEDURE bench.append(how_many bigint, per_commit bigint) LANGUAGE plpgsql AS $$
DECLARE
  base bigint := (SELECT coalesce(max(id), 0) FROM interventions);
  done bigint := 0;
BEGIN
  WHILE done < how_many LOOP
    PERFORM bench.put(base + done + 1, base + least(done + per_commit, how_many));
    done := done + per_commit;
    COMMIT;
  END LOOP;
END $$;

-- how_many updates that go round and round over the ids 1..hot, per_commit in each transaction: status, technician and times move
CREATE PROCEDURE bench.move(how_many bigint, per_commit bigint, hot bigint) LANGUAGE plpgsql AS $$
DECLARE
  done bigint := 0;
BEGIN
  WHILE done < how_many LOOP
    UPDATE interventions SET
      status = (ARRAY['SCHEDULED', 'IN_PROGRESS', 'COMPLETED', 'VALIDATED'])[1 + (id + 1 + done / hot) % 4],
      technician_id = 1 + (id * 37 + done / hot) % 200,
      started_at = CASE WHEN (id + 1 + done / hot) % 4 >= 1 THEN planned_at + interval '4 minutes' END,
      completed_at = CASE WHEN (id + 1 + done / hot) % 4 >= 2 THEN planned_at + (240 + (id + done / hot) % 7000) * interval '1 second' END,
      updated_at = clock_timestamp()
    WHERE id > done % hot AND id <= done % hot + per_commit;
    done := done + per_commit;
    COMMIT;
  END LOOP;
END $$;
