#!/usr/bin/env python3
"""The scripts that people run against the REST faces: register connectors, submit the job, fetch Flink's drivers (not needed here).

Usage: rest_scripts.py WALMILL
"""
import os
import subprocess
import sys
import tempfile

from restworld import ROOT, Postgres, Walmill, until


def main():
    pg, w = Postgres(), None
    try:
        pg.sql("CREATE DATABASE sip; ")
        pg.sql(file=ROOT / "demo/schema.sql", db="sip")
        pg.sql("INSERT INTO interventions (reference, title, planned_at, latitude, longitude) VALUES ('A', 'a', now(), 48, 2)", "sip")
        w = Walmill(sys.argv[1], "--target", pg.dsn("sip"))
        environment = {**os.environ, "CONNECT_URL": "http://127.0.0.1:" + w.ports["connect"],
                       "JOBS_URL": "http://127.0.0.1:" + w.ports["jobs"],
                       "PGHOST": "127.0.0.1", "PGPORT": pg.port, "PGUSER": "postgres", "PGPASSWORD": "x", "PGDATABASE": "sip"}

        def run(name, *args, code=0, **extra):
            done = subprocess.run([ROOT / "scripts" / name, *args], env={**environment, **extra}, capture_output=True, text=True,
                                  timeout=120,
                                  check=False)
            assert done.returncode == code, f"{name}: {done.returncode}\n{done.stdout}{done.stderr}"
            return done.stdout + done.stderr

        assert "sip-interventions-source: running" in run("register-connectors.sh")
        assert "sip-interventions-source: running" in run("register-connectors.sh")   # again: updated
        assert "running as" in run("submit-flink-job.sh")
        until(lambda: pg.sql("SELECT count(*) FROM analytics.intervention_geo_view", "sip") == "1", "the job's rows")
        assert "running as" in run("submit-flink-job.sh")   # again: there already
        with tempfile.NamedTemporaryFile("w", suffix=".sql") as f:
            f.write((ROOT / "jobs/interventions.sql").read_text() + "-- another\n")
            f.flush()
            assert "exists already" in run("submit-flink-job.sh", f.name, "interventions", code=1)
        assert "not needed" in run("download-flink-deps.sh")
        # what goes wrong is said, with a status
        assert "FATAL: database" in run("register-connectors.sh", code=1, PGDATABASE="nosuch")
        with tempfile.NamedTemporaryFile("w", suffix=".sql") as f:
            f.write("INSERT INTO public.nosuch (a) SELECT nosuch FROM public.interventions;")
            f.flush()
            assert "nosuch" in run("submit-flink-job.sh", f.name, "broken", code=1)
        print("ok")
    finally:
        if w:
            w.close()
        pg.close()


if __name__ == "__main__":
    main()
