#!/usr/bin/python3
"""tests/e2e/database/elsewhere.py BIN: a PostgreSQL cluster that is more than its data directory: a log on a disk of its own, another server to follow.

With pg_wal elsewhere it is brought back, whole, and it is said where its log lies now; back again, too.  One that has become a standby since its
restore point was taken is not brought back, for then two servers would write: it is left as it is.  Exit 77: skipped.
"""
import json
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import cluster  # noqa: E402
from cluster import DONE, check  # noqa: E402

PARTLY = 6


def log_elsewhere(c):
    wal = c.dir / "wal"
    c.run(c.dir / "ctl", "stop")
    os.rename(c.data / "pg_wal", wal)
    os.symlink(wal, c.data / "pg_wal")
    c.run(c.dir / "ctl", "start")
    c.put(1)
    c.settled()
    c.ends(DONE, "snapshot", "create", "db")
    first = c.newest()
    c.put(2)
    done = c.ends(PARTLY, "rollback", "start", "db", "--to", first, "-o", "json", says="which lay in %s, lies in the data directory now" % wal)
    check("brought back", c.rows() == "1", c.rows())
    check("nothing was written where its log lay", (wal / "archive_status").is_dir() and not (wal / "00000002.history").exists(), os.listdir(wal))
    c.put(3)
    c.ends(DONE, "rollback", "start", "db", "--to", json.loads(done.stdout)["safety_snapshot"])  # it lies in the data directory already
    check("and back again", c.rows() == "1,2", c.rows())
    code, status = c.settled()
    check("its archive is whole", code == DONE and status["state"] == "ok", status)
    return first


def a_standby(c, first):
    c.put(4)
    c.run(c.dir / "ctl", "stop")
    (c.data / "standby.signal").touch()
    with open(c.data / "postgresql.auto.conf", "a") as f:
        f.write("primary_conninfo = 'host=%s port=1'\n" % c.dir)
    c.run(c.dir / "ctl", "start")
    pid = c.pid()
    done = c.agent("rollback", "start", "db", "--to", first)
    check("a standby is not made a second server that writes", done.returncode == cluster.REFUSED and "standby" in done.stdout + done.stderr,
          (done.returncode, done.stdout + done.stderr))
    check("and nothing happened to it", c.pid() == pid and c.sql("SELECT pg_is_in_recovery()") == "t" and c.rows() == "1,2,4", c.tail())


def walk(c):
    a_standby(c, log_elsewhere(c))


sys.exit(cluster.main("elsewhere", walk))
