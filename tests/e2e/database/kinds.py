#!/usr/bin/python3
"""tests/e2e/database/kinds.py BIN: databases other than PostgreSQL, against the real programs.

SQLite: copied under a writer in WAL mode; put back without another database's log; not while somebody has it open.  Redis: saved while it
runs, with and without a log of commands; put back while it stands still.  Hooks: thawed always: after a copy, after a freeze that failed or
took too long, after the agent was killed, and at the next start when everything was (by a keeper: hooks.py).  What is not installed is skipped,
and said.
"""
import json
import os
import pathlib
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from judge import BIN, check, failures  # noqa: E402


class Host:
    def __init__(self, folder, database, steps=""):
        self.dir = pathlib.Path(folder)
        (self.dir / "agent.yaml").write_text("host: h1\nstate_directory: %s/state\nservices:\n  svc:\n    components:\n      database: %s\n%s"
                                             % (self.dir, database, steps))

    def start(self, *words):
        return subprocess.Popen([str(BIN / "kedge-agent"), *map(str, words), "--config", str(self.dir / "agent.yaml")], stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True)

    def ends(self, code, *words, says=""):
        p = self.start(*words)
        text = p.communicate(timeout=120)[0]
        check("kedge-agent %s: exit %d" % (" ".join(map(str, words)), code), p.returncode == code and says in text, "exit %d: %s" % (p.returncode, text))
        return text

    def safety(self):
        rows = json.loads(self.ends(0, "snapshot", "list", "-o", "json"))
        return max((r for r in rows if r["reason"] == "safety"), key=lambda r: r["taken"])["snapshot"]


def until(condition, what, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            check(what, False)
            return False
        time.sleep(0.01)
    return True


def is_gone(pid):
    try:
        return pathlib.Path("/proc/%d/stat" % pid).read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


# ---- SQLite ----

WRITER = """
import sqlite3, sys, time
c = sqlite3.connect(sys.argv[1], isolation_level=None)
c.execute("PRAGMA journal_mode = WAL")
c.execute("PRAGMA wal_autocheckpoint = 0")
c.execute("CREATE TABLE IF NOT EXISTS pairs (a INTEGER, b INTEGER)")
n = c.execute("SELECT coalesce(max(a), 0) FROM pairs").fetchone()[0]
while True:
    n += 1
    c.execute("BEGIN"); c.execute("INSERT INTO pairs VALUES (?, 0)", (n,)); c.execute("UPDATE pairs SET b = a WHERE a = ?", (n,)); c.execute("COMMIT")
    print(n, flush=True)
"""


def rows(path):
    c = sqlite3.connect(path)
    good = c.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    n, torn = c.execute("SELECT count(*), coalesce(sum(a <> b), 0) FROM pairs").fetchone()
    c.close()
    return n if good and not torn else -1


def with_sqlite(folder):
    db = pathlib.Path(folder) / "app.db"
    h = Host(folder, "{ sqlite: %s }" % db)
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(db)], stdout=subprocess.PIPE, text=True)
    for _ in range(200):
        writer.stdout.readline()
    h.ends(0, "snapshot", "create", "svc")
    h.ends(0, "restore", "last", "--into", pathlib.Path(folder) / "look")
    n = rows(pathlib.Path(folder) / "look" / "sqlite" / "main")
    check("a copy under a writer is whole", n >= 200, n)
    h.ends(1, "rollback", "start", "svc", "--to", "last", says="still runs")
    writer.send_signal(signal.SIGKILL)
    last = int([line for line in writer.stdout][-1])
    writer.wait()
    check("its log is left behind", (pathlib.Path(folder) / "app.db-wal").stat().st_size > 0)
    db.chmod(0o640)
    h.ends(0, "rollback", "start", "svc", "--to", "last")
    check("put back", rows(db) == n, (rows(db), n))
    check("without the log of what was there", not any((pathlib.Path(folder) / ("app.db" + x)).exists() for x in ("-wal", "-shm", "-journal")))
    h.ends(0, "rollback", "start", "svc", "--to", h.safety())
    check("and what was in that log comes back", rows(db) in (last, last + 1), (rows(db), last))
    check("with its mode", db.stat().st_mode & 0o777 == 0o640)
    db.write_bytes(b"this is no database any more" * 1000)
    h.ends(6, "rollback", "start", "svc", "--to", "last", says="unsaved")
    check("one that was destroyed", rows(db) == n, rows(db))
    check("stays beside", len([x for x in os.listdir(folder) if ".kedge-" in x]) == 1, os.listdir(folder))


# ---- Redis ----

def redis_cli(sock, *words):
    return subprocess.run(["redis-cli", "-s", sock, *words], capture_output=True, text=True, timeout=20).stdout.strip()


def with_redis(folder, appendonly):
    d = pathlib.Path(folder)
    (d / "data").mkdir()
    sock = str(d / "sock")
    (d / "ctl").write_text("#!/bin/sh\ncase $1 in\nstart) redis-server --port 0 --unixsocket %s --dir %s/data --appendonly %s --save '' --daemonize yes "
                           "--pidfile %s/pid --logfile %s/log >/dev/null; for i in $(seq 200); do redis-cli -s %s ping 2>/dev/null | grep -q PONG && exit 0; sleep 0.05; done; exit 1 ;;\n"
                           "stop) redis-cli -s %s shutdown save 2>/dev/null; for i in $(seq 200); do [ -e %s ] || exit 0; sleep 0.05; done; exit 1 ;;\nesac\n"
                           % (sock, d, appendonly, d, d, sock, sock, sock))
    (d / "ctl").chmod(0o755)
    subprocess.run([str(d / "ctl"), "start"], check=True)
    try:
        h = Host(folder, "{ redis: { data_directory: %s/data, address: 'unix:%s' } }" % (d, sock), "    steps: { stop: [%s/ctl, stop], start: [%s/ctl, start] }\n" % (d, d))
        redis_cli(sock, "set", "a", "good")
        for i in range(100):
            redis_cli(sock, "rpush", "list", str(i)) if i < 3 else None
        h.ends(0, "snapshot", "create", "svc")
        redis_cli(sock, "set", "a", "bad")
        redis_cli(sock, "del", "list")
        h.ends(0, "rollback", "start", "svc", "--to", "last")
        check("redis, appendonly %s: put back" % appendonly, redis_cli(sock, "get", "a") == "good" and redis_cli(sock, "llen", "list") == "3",
              redis_cli(sock, "get", "a") + (d / "log").read_text()[-600:])
        redis_cli(sock, "set", "a", "later")
        h.ends(0, "rollback", "start", "svc", "--to", h.safety())
        check("redis, appendonly %s: and back again" % appendonly, redis_cli(sock, "get", "a") == "bad", redis_cli(sock, "get", "a"))
        (d / "data" / "nodes.conf").write_text("x")
        h.ends(1, "snapshot", "create", "svc", says="nodes.conf")
    finally:
        subprocess.run([str(d / "ctl"), "stop"])


# ---- hooks ----

def with_hooks(folder):
    d = pathlib.Path(folder)
    (d / "data").mkdir()
    (d / "data" / "table").write_text("good")
    frozen, told = d / "frozen", d / "told"
    (d / "freeze").write_text("#!/bin/sh\necho freeze >>%s/told\ntouch %s/frozen\n[ ! -e %s/slow ] || sleep 30\n[ ! -e %s/fail ]\n" % (d, d, d, d))
    (d / "thaw").write_text("#!/bin/sh\necho thaw >>%s/told\nrm -f %s/frozen\n" % (d, d))
    for name in ("freeze", "thaw"):
        (d / name).chmod(0o755)
    h = Host(folder, "{ exec: { data_directory: %s/data, freeze: [%s/freeze], thaw: [%s/thaw], deadline: 2s } }" % (d, d, d))
    marker = d / "state/prepare/svc.frozen"

    def count():
        return told.read_text().split().count("thaw") if told.exists() else 0

    def thawed(what, before):
        until(lambda: not frozen.exists() and not marker.exists(), what)
        check(what, not frozen.exists() and not marker.exists() and count() > before, told.read_text())

    h.ends(0, "snapshot", "create", "svc")
    thawed("thawed after the copy", 0)
    (d / "data" / "table").write_text("bad")
    h.ends(0, "rollback", "start", "svc", "--to", "last")
    check("put back", (d / "data" / "table").read_text() == "good")
    with open(d / "data" / "table"):
        p = subprocess.Popen(["sleep", "60"], stdin=open(d / "data" / "table"))
        h.ends(1, "rollback", "start", "svc", "--to", "last", says="still runs")
        p.kill()
        p.wait()
    before = count()
    (d / "fail").touch()
    h.ends(1, "snapshot", "create", "svc", says="cannot be frozen")
    thawed("thawed after a freeze that failed", before)
    (d / "fail").unlink()
    (d / "slow").touch()
    before = count()
    h.ends(7, "snapshot", "create", "svc", says="cannot be frozen")
    thawed("thawed at the deadline of a freeze that hangs", before)
    before = count()
    p = h.start("snapshot", "create", "svc")
    until(frozen.exists, "it is frozen")
    p.kill()
    p.wait()
    thawed("thawed although the agent was killed", before)
    before = count()
    p = h.start("snapshot", "create", "svc")
    until(frozen.exists, "it is frozen again")
    children = subprocess.run(["ps", "-o", "pid=,args=", "--ppid", str(p.pid)], capture_output=True, text=True).stdout.splitlines()
    watchdogs = [int(c.split()[0]) for c in children if "kedge-agent" in c]
    check("there is one watchdog", len(watchdogs) == 1, children)
    p.send_signal(signal.SIGSTOP)
    os.kill(watchdogs[0], signal.SIGKILL)
    p.kill()
    p.wait()
    until(lambda: is_gone(watchdogs[0]), "the watchdog is gone")
    check("with everything killed it stays frozen, and marked so", frozen.exists() and marker.exists())
    (d / "slow").unlink()
    h.ends(0, "snapshot", "create", "svc")
    thawed("until the next start", before + 1)


def main():
    for name, test in [("sqlite", with_sqlite), ("hooks", with_hooks)]:
        with tempfile.TemporaryDirectory(prefix="kedge-kinds-") as folder:
            print("-- " + name)
            test(folder)
    if shutil.which("redis-server"):
        for appendonly in ("no", "yes"):
            with tempfile.TemporaryDirectory(prefix="kedge-kinds-") as folder:
                with_redis(folder, appendonly)
    else:
        print("skipped: redis-server is not installed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
