#!/usr/bin/env python3
"""walmill load both ways: what goes through the REST API is what COPY writes, field by field; what the application refuses is listed with
its line; running again changes nothing. A double that speaks cli/load_rest.h refuses and breaks on demand.

Usage: load_ways.py WALMILL
"""
import csv
import http.server
import json
import subprocess
import sys
import tempfile
import threading

from restworld import ROOT, Postgres, Walmill

ACCENTS = ("operation_id,type_operation,cross,departement,evenement,latitude,longitude,"
           "date_heure_reception_alerte,date_heure_fin_operation\n"
           "1,MAS,Étel & Cie,Var,\"Avarie, \"\"grave\"\"\",43.0917,+5.9188,2019-07-11T15:13:00Z,2019-07-11T16:36:00Z\n"
           "2,SAR,Réunion - Île,,x,,,2019-07-11T15:13:00.250Z,\n")
STREET = ("id_dmr,type,soustype,datedecl,prefixe,intervenant,geo_point_2d\n"
          "G1,Propreté,x,2024-07-25,Android,(Équipe n° 3),\"48.85, 2.35\"\nG2,Eau,,2024-07-25,Back Office,,\n")
FIELDS = "reference title description status assignmentMode plannedAt startedAt completedAt email fullName latitude longitude".split()


class Application(http.server.ThreadingHTTPServer):
    """Items by reference; refuses those in `refuse`."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.items, self.refuse, self.requests, self.broken = {}, set(), 0, False
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def take(self, items):
        answer = {"created": 0, "updated": 0, "unchanged": 0, "rejected": []}
        for i, item in enumerate(items):
            key = item["reference"].lower()
            if key in self.refuse:
                answer["rejected"].append({"index": i, "errors": [{"pointer": f"/items/{i}", "detail": "is not wanted, here"}]})
            elif key not in self.items:
                answer["created"] += 1
            elif self.items[key] != item:
                answer["updated"] += 1
            if key not in self.refuse:
                self.items[key] = item
        return answer


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert self.path == "/api/interventions/bulk" and list(body) == ["items"] and 0 < len(body["items"]) <= 500
        self.server.requests += 1
        code, answer = (503, {"title": "down"}) if self.server.broken else (200, self.server.take(body["items"]))
        data = json.dumps(answer).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


def main():
    program, pg, app = sys.argv[1], Postgres(), Application()
    address = f"api.listen=127.0.0.1:{app.server_address[1]}"

    def load(name, path, *options, code=0):
        done = subprocess.run([program, "load", name, str(path), "--json", *options], capture_output=True, text=True, timeout=120,
                              check=False)
        assert done.returncode == code, done.stdout + done.stderr
        return json.loads(done.stdout) if code == 0 else done.stderr

    with tempfile.TemporaryDirectory() as top:
        accents = top + "/secmar.csv"
        with open(accents, "w", encoding="utf-8") as f:
            f.write(ACCENTS)
        street = top + "/street.csv"
        with open(street, "w", encoding="utf-8") as f:
            f.write(STREET)
        files = [("nyc311", p) for p in sorted((ROOT / "demo/nyc311").glob("nyc311_*"))] + [("datagouv", accents), ("datagouv", street)]
        for db in ("copied", "posted"):
            pg.sql("CREATE DATABASE " + db)
            pg.sql(file=ROOT / "demo/schema.sql", db=db)
        walmill = Walmill(program, "--source", pg.dsn("posted"))
        real = "api.listen=127.0.0.1:" + walmill.ports["api"]
        try:
            for name, path in files:
                by_copy, by_rest = load(name, path, "--target", pg.dsn("copied")), load(name, path, "--via", "rest", "--set", real)
                assert by_copy == by_rest, (path, by_copy, by_rest)
            again = load(*files[0], "--via", "rest", "--set", real)
            assert again["updated"] == again["inserted"] == 0, again
            compare(pg)
            # what is refused is left out of the counts and listed
            app.items.clear()
            app.refuse = {"secmar-2"}
            got = load("datagouv", accents, "--via", "rest", "--set", address, "--rejects", top + "/rejects.csv")
            assert (got["taken"], got["inserted"], got["skipped"]) == (1, 1, {"refused by the application": 1}), got
            with open(top + "/rejects.csv", encoding="utf-8") as f:
                assert list(csv.reader(f))[1:] == [["3", "SECMAR-2", "/items/1 is not wanted, here"]]
            before = app.requests
            load("datagouv", accents, "--via", "rest", "--set", address, "--dry-run")
            assert app.requests == before
            app.broken = True
            assert "answered 503 to lines 2 to 3" in load("datagouv", accents, "--via", "rest", "--set", address, code=1)
        finally:
            walmill.close()
            app.shutdown()
            pg.close()
    print("ok")


def compare(pg):
    """Row by row, technicians by e-mail: their ids are each database's own."""
    rows = ("SELECT json_agg(json_build_array(reference, title, description, status, assignment_mode, planned_at, started_at, "
            "completed_at, u.email, lower(u.full_name), u.role, latitude, longitude) ORDER BY reference)::text FROM interventions i "
            "LEFT JOIN users u ON u.id = technician_id")
    copied, posted = (json.loads(pg.sql(rows, db=db)) for db in ("copied", "posted"))
    wrong = [pair for pair in zip(copied, posted) if pair[0] != pair[1]]
    assert not wrong and len(copied) == len(posted), (len(wrong), wrong[:2])
    print(len(copied), "rows the same both ways")


if __name__ == "__main__":
    main()
