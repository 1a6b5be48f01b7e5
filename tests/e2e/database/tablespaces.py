#!/usr/bin/python3
"""tests/e2e/database/tablespaces.py BIN [all|FROM-TO]: a PostgreSQL cluster with tablespaces is brought back, with them.

To a restore point and to a moment, with tablespaces that were made and dropped since; killed in the middle of the exchange, where its server,
started by hand, refuses or starts whole; practised, and restored into another folder, where it runs beside the live one.  What else lies in a
tablespace's folder stays.  Exit 77: skipped.
"""
import json
import pathlib
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import cluster  # noqa: E402

KILLS = (2, 3, 4, 5)


def make(c, name):
    folder = c.dir / "spaces" / name
    folder.mkdir(parents=True)
    c.sql("CREATE TABLESPACE %s LOCATION '%s'" % (name, folder))
    (folder / "foreign").write_text("not of the cluster")
    c.sql("CREATE TABLE in_%s TABLESPACE %s AS SELECT i, md5(i::text) AS pad FROM generate_series(1, 3000) i" % (name, name))


def same(c):
    tables = c.sql("SELECT string_agg(relname || ' ' || coalesce(spcname, ''), ', ' ORDER BY relname) FROM pg_class c LEFT JOIN pg_tablespace t ON t.oid = reltablespace "
                   "WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace")
    sums = [c.sql("SELECT count(*) || ' ' || sum(hashtext(pad)) FROM " + t.split()[0]) for t in tables.split(", ") if t.startswith("in_")]
    return "%s; %s; %s" % (tables, sums, c.rows())


def beside(c):
    found = [p for p in c.dir.iterdir() if ".kedge-" in p.name]
    return found + [p for s in (c.dir / "spaces").iterdir() for p in s.iterdir() if ".kedge-" in p.name]


def foreign(c):
    return all((s / "foreign").read_text() == "not of the cluster" for s in (c.dir / "spaces").iterdir())


def is_as(c, what, wanted):
    got = same(c)
    cluster.check(what, got == wanted and not beside(c) and foreign(c), "%s\nnot\n%s\n%s\n%s" % (got, wanted, beside(c), c.tail()))


def there_and_back(c):
    c.ends(0, "snapshot", "create", "db")
    first = c.newest()
    good = same(c)
    c.sql("UPDATE in_one SET pad = 'changed' WHERE i < 500")
    c.put(2)
    two, middle = c.now(), same(c)
    c.put(3)
    c.sql("DROP TABLE in_two")
    c.sql("DROP TABLESPACE two")
    make(c, "three")
    c.put(4)
    last = same(c)
    c.ends(0, "rollback", "start", "db", "--to-time", two)
    is_as(c, "a moment", middle)
    done = c.ends(0, "rollback", "start", "db", "--to", first, "-o", "json")
    is_as(c, "a restore point", good)
    c.ends(0, "rollback", "start", "db", "--to", json.loads(done.stdout)["safety_snapshot"])
    is_as(c, "and back to what was there before", middle)
    return first, good, last


def made_and_dropped(c, first, good):
    c.sql("DROP TABLE in_two")
    c.sql("DROP TABLESPACE two")
    shutil.rmtree(c.dir / "spaces/three", ignore_errors=True)
    make(c, "three")
    c.sql("UPDATE in_one SET pad = 'again' WHERE i > 2900")
    last = same(c)
    done = c.ends(0, "rollback", "start", "db", "--to", first, "-o", "json")
    is_as(c, "a tablespace that was dropped is there again, one that was made is not", good)
    cluster.check("and nothing of it is left", [p.name for p in (c.dir / "spaces/three").iterdir()] == ["foreign"], list((c.dir / "spaces/three").iterdir()))
    c.ends(0, "rollback", "start", "db", "--to", json.loads(done.stdout)["safety_snapshot"])
    is_as(c, "and back", last)
    (c.dir / "fail").touch()
    done = c.agent("rollback", "start", "db", "--to", first)
    (c.dir / "fail").unlink()
    c.run(c.dir / "ctl", "start")
    cluster.check("it did not start", done.returncode != 0, done.stdout)
    is_as(c, "and is put back as it was", last)
    code, status = c.settled()
    cluster.check("its archive is whole", code == 0 and status["state"] == "ok", status)
    return last


def killed(c, first, good, last):
    refused = []
    for n in cluster.kills(KILLS):
        if not cluster.was_killed(c.recover(first, "renameat2:signal=KILL:when=%d" % n)):
            break
        started = c.by_hand()
        meanwhile = same(c) if started else good
        refused.append(not started)
        c.agent("rollback", "recover")
        c.run(c.dir / "ctl", "start")
        got = same(c)
        if meanwhile not in (good, last) or got not in (good, last) or beside(c) or (c.dir / "data/.kedge-version").exists():
            cluster.check("killed at rename %d" % n, False, "%s\n%s\n%s\n%s" % (meanwhile, got, beside(c), c.tail()))
        print("killed at rename %d: %s; %s" % (n, "it started whole" if started else "it did not start", "gone through" if got == good else "as before"), flush=True)
        if got == good:
            c.ends(0, "rollback", "start", "db", "--to", c.later)
            last = same(c)
    cluster.check("it was killed between the exchanges", len(refused) > 2, refused)
    cluster.check("and refused to start there", True in refused, refused)


def elsewhere(c):
    """Restored into another folder it runs there, and the live one's tablespaces are not touched."""
    live = same(c)
    into = c.dir / "elsewhere"
    c.ends(0, "restore", "last", "--into", into)
    into.chmod(0o711)
    data = into / "postgres"
    cluster.check("its tablespaces lie in it", all(str((data / "pg_tblspc" / n.name).resolve()).startswith(str(into)) for n in (data / "pg_tblspc").iterdir()) and
                  len(list((data / "pg_tblspc").iterdir())) > 1, list((data / "pg_tblspc").iterdir()))
    (into / "run").mkdir()
    with open(data / "postgresql.conf", "a") as f:
        f.write("\narchive_mode = off\nunix_socket_directories = '%s/run'\n" % into)
    pg_ctl = [*c.become, c.bin / "pg_ctl", "-D", data, "-s", "-w", "-t", "60"]
    c.run(*pg_ctl, "-l", into / "log", "start")
    try:
        got = c.run(c.bin / "psql", "-X", "-q", "-A", "-t", "-h", into / "run", "-p", c.port, "-U", "kedge", "-d", "postgres", "-c", "SELECT sum(i) FROM in_one").strip()
        c.run(c.bin / "psql", "-X", "-q", "-h", into / "run", "-p", c.port, "-U", "kedge", "-d", "postgres", "-c", "UPDATE in_one SET pad = 'elsewhere'")
        where = c.run(c.bin / "psql", "-X", "-q", "-A", "-t", "-h", into / "run", "-p", c.port, "-U", "kedge", "-d", "postgres", "-c",
                      "SELECT count(*) FROM pg_tablespace WHERE pg_tablespace_location(oid) LIKE '%s/%%'" % into).strip()
    finally:
        c.run(*pg_ctl, "-m", "immediate", "stop")
    cluster.check("it runs there", got == "4501500" and int(where) >= 2, (got, where))
    cluster.check("the live one is as it was", same(c) == live)
    shutil.rmtree(into)


def walk(c):
    make(c, "one")
    make(c, "two")
    c.put(1)
    c.settled()
    first, good, _ = there_and_back(c)
    last = made_and_dropped(c, first, good)
    c.ends(0, "snapshot", "create", "db")
    c.later = c.newest()
    done, r = cluster.prove(c, "SELECT count(*) = 3000 FROM in_one", "SELECT count(*) = 3000 FROM in_three")
    cluster.check("a practised restore finds its tablespaces", done.returncode == 0 and r.get("ok"), done.stdout + done.stderr)
    is_as(c, "and touches none of the live ones", last)
    elsewhere(c)
    if shutil.which("strace"):
        killed(c, first, good, last)
    else:
        print("strace is not installed: nothing is killed")


sys.exit(cluster.main("spaces", walk))
