#!/usr/bin/python3
"""tests/e2e/database/moments.py BIN: a real PostgreSQL cluster with its log archived by kedge-agent, brought back to moments.

A time, an LSN, a transaction and a name are reached, each on the right timeline, one recovery after another; what cannot be reached (before
the first restore point, in the future, behind a gap) is refused while the server goes on; a rollback to a restore point does not spoil the
archive; a missing segment is seen.  Exit 77: skipped.
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import cluster  # noqa: E402
from cluster import BIN, DONE, FAILED, NOT_FOUND, check, processes, prove  # noqa: E402


def archived(c):
    c.put(1)
    code, status = c.settled()
    check("the archive follows", code == DONE and status["state"] == "ok" and status["segments"] >= 1 and status["rpo_ms"] < 60000, status)
    done = c.ends(DONE, "snapshot", "create", "db")
    shown = c.ends(DONE, "snapshot", "show", "last", "-o", "json").stdout
    check("a restore point says where in the log it is", "postgres_start" in shown and "postgres_stopped_at" in shown, shown)
    return done


def refused(c, before):
    pid, rows = c.pid(), c.rows()
    c.ends(NOT_FOUND, "rollback", "start", "db", "--to-time", before, says="before the end of the oldest restore point")
    c.ends(NOT_FOUND, "rollback", "start", "db", "--to-time", "2999-01-01T00:00:00Z", says="still to come")
    c.ends(NOT_FOUND, "rollback", "start", "db", "--to-lsn", "FF/0", says="beyond the end of the archive")
    c.ends(NOT_FOUND, "rollback", "start", "db", "--to-lsn", "0/100", says="before the end of the oldest restore point")
    c.ends(NOT_FOUND, "rollback", "start", "db", "--to-xid", "999999", says="not in the archive")
    c.ends(NOT_FOUND, "rollback", "start", "db", "--to-name", "nobody-made-it", says="not in the archive")
    c.ends(NOT_FOUND, "rollback", "start", "db", "--to-time", before, "--timeline", "9", says="does not know timeline 9")
    c.ends(FAILED, "rollback", "start", "db", "--to-time", before, "--to-lsn", "0/1", says="say one of")
    check("the server went on through all refusals", c.pid() == pid and c.rows() == rows)


def practised(c):
    """What comes back is started, asked and ended; nothing that runs or is kept is touched."""
    rows = c.rows()
    c.ends(DONE, "snapshot", "create", "db")
    c.settled()
    pid, kept = c.pid(), sorted(os.listdir(c.dir / "state/wal/db/log"))
    done, r = prove(c, "SELECT count(*) = %d FROM log" % len(rows.split(",")))
    check("a practised restore is started and answers", done.returncode == DONE and r.get("started") and r.get("ok"), done.stdout + done.stderr)
    check("within seconds for so little", r.get("took_ms", 10**9) < 20000, r)
    done, r = prove(c, "SELECT 1", "SELECT count(*) > 1000 FROM log")
    check("what it answers wrongly fails the drill", done.returncode == FAILED and not r.get("ok") and "count(*) > 1000" in r.get("text", ""), done.stdout + done.stderr)
    done, r = prove(c, "SELECT 1", database="nowhere")
    check("a database that is not there does too", done.returncode == FAILED and "nowhere" in r.get("text", ""), done.stdout + done.stderr)
    done, r = prove(c, "SELECT 1 WHERE false")
    check("and no answer", done.returncode == FAILED and not r.get("started"), done.stdout + done.stderr)
    c.sql("ALTER SYSTEM SET shared_preload_libraries = 'not-there'")  # what was restored does not decide what is loaded
    c.ends(DONE, "snapshot", "create", "db")
    c.ends(DONE, "snapshot", "drill", "db", says="its database ran and answered")
    c.sql("ALTER SYSTEM RESET shared_preload_libraries")
    check("the server went on", c.pid() == pid and c.rows() == rows)
    c.settled()
    check("and so did its archive", set(kept) <= set(os.listdir(c.dir / "state/wal/db/log")) and not list((c.dir / "state/wal/db/log").glob("*.history"))
          or c.status()[1]["state"] == "ok", c.status())
    check("nothing is left", not (c.dir / "state/drill/db.database").exists() and not (c.dir / "state/drill/db").exists() and
          not any("state/drill" in line for line in processes()), processes())
    # a restore point of a cluster that cannot be started
    broken = c.dir / "data/pg_multixact/offsets/0000"
    shutil.move(broken, c.dir / "aside")
    c.ends(DONE, "snapshot", "create", "db")
    shutil.move(c.dir / "aside", broken)
    done = c.agent("snapshot", "drill", "db", "-o", "json")
    r = json.loads(done.stdout)
    check("one that does not start fails the drill, and says why", done.returncode == FAILED and "does not start" in r["text"] and "FATAL" in r["text"], done.stdout)
    c.ends(DONE, "snapshot", "create", "db")
    killed_in_practice(c)


def killed_in_practice(c):
    """A practised restore is killed while its server runs: nothing of it runs on."""
    def servers():
        return [line for line in processes() if "state/drill" in line and line.startswith(str(c.bin / "postgres"))]
    text = (c.dir / "agent.yaml").read_text()
    (c.dir / "agent.yaml").write_text(text.replace("wal_archive: true", 'wal_archive: true, prove: ["SELECT pg_sleep(60) IS NOT NULL"]'))
    drill = subprocess.Popen([str(BIN / "kedge-agent"), "snapshot", "drill", "db", "--config", str(c.dir / "agent.yaml")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 60
    while not (seen := servers()) and drill.poll() is None and time.monotonic() < until:
        time.sleep(0.02)
    drill.kill()
    drill.wait()
    (c.dir / "agent.yaml").write_text(text)
    until = time.monotonic() + 30
    while (servers() or list(pathlib.Path("/tmp").glob("kedge-drill-*"))) and time.monotonic() < until:
        time.sleep(0.05)
    check("a practised restore that is killed leaves no server", seen and not servers(), servers())
    c.ends(DONE, "snapshot", "drill", "db")


def told_by_the_keeper(c, gone, kept):
    """A keeper that runs already, and has looked while all was well, tells of a segment that goes missing, and that it is there again."""
    log = c.dir / "keeper.log"

    def until_it_says(words, seconds):
        until = time.monotonic() + seconds
        while words not in log.read_text() and time.monotonic() < until and keeper.poll() is None:
            time.sleep(0.05)
        return words in log.read_text()
    with open(log, "w") as out:
        keeper = subprocess.Popen([str(BIN / "kedge-agent"), "run", "--config", str(c.dir / "agent.yaml")], stdout=out, stderr=out)
    try:
        looked = until_it_says("archive of the log: ok", 60)
        check("the keeper has looked, and all is well", looked and gone.name not in log.read_text(), log.read_text())
        shutil.move(gone, kept)
        began = time.monotonic()
        told = until_it_says(gone.name, 60)
        check("a gap is told within a minute (%.1f s)" % (time.monotonic() - began), told, log.read_text())
    finally:
        keeper.terminate()
        keeper.wait(60)


def a_gap(c):
    c.put(1000)
    at = c.now()
    c.settled()
    names = sorted(n for n in os.listdir(c.dir / "state/wal/db/log") if len(n) == 24)
    c.put(1001)
    later = c.now()
    c.put(1002)
    c.settled()
    newer = sorted(set(n for n in os.listdir(c.dir / "state/wal/db/log") if len(n) == 24) - set(names))
    gone = c.dir / "state/wal/db/log" / newer[0]
    kept = c.dir / "gone"
    told_by_the_keeper(c, gone, kept)
    code, status = c.status()
    check("a missing segment turns it red", code == FAILED and status["state"] == "gap" and newer[0] in status["text"], status)
    board = json.loads(c.ends(DONE, "status", "-o", "json").stdout)[0]
    check("and the recovery board says so", newer[0] in board.get("text", "") and board["archive"] == "gap" and board["rpo_ms"] > 0, board)
    pid = c.pid()
    c.put(1003)
    c.sql("SELECT pg_switch_wal()")
    c.settled()
    c.ends(NOT_FOUND, "rollback", "start", "db", "--to-time", later, says="gap")
    check("the server went on", c.pid() == pid)
    shutil.move(kept, gone)
    check("and is whole again", c.status()[1]["state"] == "ok", c.status())
    board = json.loads(c.ends(DONE, "status", "-o", "json").stdout)[0]
    check("less would be lost by the log than since the restore point", board["archive"] == "ok" and board.get("rpo_ms", 0) < 20000, board)
    return at


def walk(c):
    before = c.now()
    archived(c)
    c.put(2)
    two = c.now()
    c.put(3)
    three = c.now()
    xid = c.sql("BEGIN; INSERT INTO log VALUES (4); SELECT pg_current_xact_id(); COMMIT").split()[-1]
    c.put(5)
    lsn = c.sql("SELECT pg_current_wal_lsn()")
    c.put(6)
    c.sql("SELECT pg_create_restore_point('before-migration')")
    c.put(7)
    seven = c.now()
    refused(c, before)

    c.ends(DONE, "rollback", "start", "db", "--to-time", two)
    check("a time", c.rows() == "1,2", c.rows())
    check("on a timeline of its own", c.timeline() == 2, c.timeline())
    c.put(20)
    twenty = c.now()
    c.put(21)
    c.ends(DONE, "rollback", "start", "db", "--to-time", three)
    check("a later time, on the timeline that was live then", c.rows() == "1,2,3", c.rows())
    c.put(30)
    c.ends(DONE, "rollback", "start", "db", "--to-time", twenty)
    check("a time after the first recovery, on its timeline", c.rows() == "1,2,20", c.rows())
    c.ends(DONE, "rollback", "start", "db", "--to-xid", xid, "--timeline", "1")
    check("a transaction", c.rows() == "1,2,3,4", c.rows())
    c.ends(DONE, "rollback", "start", "db", "--to-lsn", lsn, "--timeline", "1")
    check("an LSN", c.rows() in ("1,2,3,4,5", "1,2,3,4,5,6"), c.rows())
    c.ends(DONE, "rollback", "start", "db", "--to-name", "before-migration", "--timeline", "1")
    check("a name", c.rows() == "1,2,3,4,5,6", c.rows())
    c.ends(DONE, "rollback", "start", "db", "--to-time", seven)
    check("the end of a timeline that was left", c.rows() == "1,2,3,4,5,6,7", c.rows())
    c.put(8)
    c.ends(DONE, "rollback", "start", "db", "--to-time", c.now())
    check("just now, with what was not archived yet", c.rows() == "1,2,3,4,5,6,7,8", c.rows())
    c.settled()
    c.ends(DONE, "rollback", "start", "db", "--to-time", c.now())
    check("just now, with nothing written since the last segment", c.rows() == "1,2,3,4,5,6,7,8", c.rows())
    code, status = c.settled()
    check("no gap after nine recoveries", code == DONE and status["state"] == "ok", status)

    done = c.ends(DONE, "rollback", "start", "db", "--to", "last", "-o", "json")
    check("a restore point itself", c.rows() == "1", c.rows())
    c.put(40)
    code, status = c.settled()
    check("does not spoil the archive", code == DONE and status["state"] == "ok", status)
    safety = json.loads(done.stdout)["safety_snapshot"]
    c.ends(DONE, "rollback", "start", "db", "--to", safety)
    check("and back to what was there before", c.rows() == "1,2,3,4,5,6,7,8", c.rows())
    c.put(41)
    code, status = c.settled()
    check("neither does that", code == DONE and status["state"] == "ok", status)
    conf = (c.dir / "data/postgresql.auto.conf").read_text()
    check("nothing is left of recoveries", "recovery_target" not in conf and not (c.dir / "data/recovery.signal").exists(), conf)
    practised(c)
    a_gap(c)


sys.exit(cluster.main("moments", walk))
