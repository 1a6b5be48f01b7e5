#!/usr/bin/python3
"""tests/e2e/database/outlines.py BIN: what is noted of a Redis and of a MariaDB server with each restore point, against the real ones.

Using them changes nothing of it; what somebody changes (a setting, a table, an account, all rows gone) does, by name; nothing that is in them,
no password and no definition is written down.  What is not installed is skipped, and said.  (SQLite: a unit test.)
"""
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import kinds  # noqa: E402
import mariadb  # noqa: E402
from kinds import check  # noqa: E402


def note(h):
    """Its lines, after another restore point."""
    said = h.ends(0, "snapshot", "create", "svc")
    check("its outline is noted", "was not noted" not in said, said)
    head, *lines = (h.dir / "state/outline/svc").read_text().splitlines()
    check("of that restore point", head.split()[-1] in said, head + said)
    return dict(line.split("\t", 1) for line in lines)


def differ(a, b):
    return sorted(k for k in a.keys() | b.keys() if a.get(k) != b.get(k))


def told(what, h, before, *wanted):
    after = note(h)
    check(what, differ(before, after) == sorted(wanted), (differ(before, after), sorted(wanted)))
    return after


def of_redis(folder):
    d = pathlib.Path(folder)
    sock = str(d / "sock")
    (d / "data").mkdir()
    server = subprocess.Popen(["redis-server", "--port", "0", "--unixsocket", sock, "--dir", str(d / "data"), "--save", "", "--requirepass", "correct-horse-7",
                               "--logfile", str(d / "log")])
    cli = lambda *words: kinds.redis_cli(sock, "-a", "correct-horse-7", "--no-auth-warning", *words)  # noqa: E731
    try:
        kinds.until(lambda: cli("ping") == "PONG", "redis answers")
        (d / "password").write_text("correct-horse-7\n")
        (d / "password").chmod(0o600)
        h = kinds.Host(folder, "{ redis: { data_directory: %s/data, address: 'unix:%s', password_file: %s/password } }" % (d, sock, d))
        cli("set", "name", "Anna Blum")
        first = note(h)
        check("a database that holds something, and its settings", first.get("sql/rows/db0") == "some" and "sql/settings/maxmemory_policy" in first, first)
        cli("set", "other", "used")
        same = told("redis: used", h, first)
        cli("config", "set", "maxmemory", "5000000")
        small = told("redis: a setting", h, same, "sql/settings/maxmemory")
        cli("flushall")
        told("redis: all of it is gone", h, small, "sql/rows/db0")
        text = (d / "state/outline/svc").read_text()
        check("redis: nothing that is in it", "Blum" not in text and "correct-horse" not in text, text)
    finally:
        server.terminate()
        server.wait()


def of_mariadb(folder):
    pathlib.Path(folder).chmod(0o755)
    s = mariadb.Server(folder)
    s.install()
    try:
        h = mariadb.host(folder, s)
        first = note(h)
        check("tables, and that they hold something", first.get("sql/rows/shop/pairs") == "some" and "sql/columns/shop/pairs" in first and
              "sql/functions/shop/twice" in first, first)
        s.sql("UPDATE shop.pairs SET b = 0 WHERE a = 1; INSERT INTO shop.notes VALUES ('Anna Blum')")
        same = told("mariadb: used", h, first)
        s.sql("ALTER TABLE shop.pairs ADD COLUMN more INT; CREATE INDEX by_b ON shop.pairs (b); DROP PROCEDURE shop.twice; SET GLOBAL max_connections = 11;"
              "CREATE USER clerk@localhost; DELETE FROM shop.notes; CREATE VIEW shop.anna AS SELECT * FROM shop.notes WHERE t = 'Anna Blum'")
        changed = told("mariadb: what somebody changed", h, same, "sql/columns/shop/pairs", "sql/indexes/shop/pairs", "sql/functions/shop/twice",
                       "sql/settings/max_connections", "sql/roles/'clerk'@'localhost'", "sql/rows/shop/notes", "sql/views/shop/anna",
                       "sql/relations/shop/anna", "sql/columns/shop/anna")
        text = (h.dir / "state/outline/svc").read_text()
        check("mariadb: nothing that is in it", "Blum" not in text and mariadb.PASSWORD not in text, text)
        (s.data / "shop/pairs.ibd").chmod(0o600)
        told("mariadb: a file's mode", h, changed, "data/shop/*")
    finally:
        s.control("stop")


def main():
    ran = False
    for name, programs, test in (("redis", ["redis-server", "redis-cli"], of_redis), ("mariadb", mariadb.PROGRAMS, of_mariadb)):
        gone = [p for p in programs if not shutil.which(p) and not shutil.which(p, path="/usr/sbin")]
        if gone:
            print("skipped: %s (%s is not installed)" % (name, ", ".join(gone)))
            continue
        ran = True
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="kedge-outlines-", dir=mariadb.in_memory()) as folder:
            test(folder)
        print("%s: %.1f s" % (name, time.monotonic() - began))
    return 1 if kinds.failures else 0 if ran else 77


sys.exit(main())
