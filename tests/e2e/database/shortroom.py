#!/usr/bin/python3
"""tests/e2e/database/shortroom.py BIN [all | CALL FROM-TO]: a PostgreSQL cluster is brought back on a disk that has no room for a second one.

To a restore point and to a moment, with only what differs written into the stopped data directory; refused while it runs where there is no
room for that either; killed (at some of its system calls, or at those of CALL, or with `all` at many more and at random moments) or refused by the disk, it
ends as it was or as it should be, or stands between the two, does not start, and is brought to an end by `rollback recover`.
Exit 77: skipped.
"""
import json
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import moments  # noqa: E402

FREE = 48 << 20  # a second cluster would need 90 MB
CALLS = "renameat,unlinkat,ftruncate,fsync,utimensat"
KILLS = {"renameat": (1, 3), "unlinkat": (2,), "fsync": (5,)}
MANY = {call: range(1, 60) for call in CALLS.split(",") + ["pwrite64"]}


def start(c, target):
    return [moments.BIN / "kedge-agent", "rollback", "start", "db", "--to", target, "-o", "json", "--config", c.dir / "agent.yaml"]


def traced(c, inject, target):
    return subprocess.run(["strace", "-qq", "-o", "/dev/null", "-e", "trace=" + inject.split(":")[0], "-e", "inject=" + inject, *start(c, target)],
                          capture_output=True, text=True, timeout=60)


def state_of(c):
    """How far the rollback is that has not ended; None: there is none."""
    for path in (c.state / "rollback").glob("ord-*.json"):
        j = json.loads(path.read_text())
        if j["phase"] != "ended":
            return j.get("database_state", "as-it-was")
    return None


def same(c):
    return c.sql("SELECT count(*) || ' ' || sum(hashtext(pad)) FROM wide") + " " + c.sql("SELECT sum(i) FROM aside") + " " + c.rows()


def change(c, n):
    c.sql("UPDATE wide SET pad = repeat('%d', 90) WHERE i / 2000 = %d" % (n % 10, n % 97))
    c.put(n)
    c.sql("UPDATE aside SET i = i + %d WHERE i %% 50 = 0" % n)
    if n % 2:
        c.sql("CREATE TABLE IF NOT EXISTS later AS SELECT * FROM wide LIMIT 9999")


def beside(c):
    return [p.name for folder in (c.data.parent, c.data.parent / "space") for p in folder.iterdir() if ".kedge-" in p.name]


def whole(c, what, good, before):
    c.run(c.dir / "ctl", "start")
    after = same(c)
    if after not in (good, before) or beside(c) or state_of(c):
        moments.check(what, False, "%s\n%s\n%s\n%s %s" % (after, good, before, beside(c), c.tail()))
    else:
        print("%s: %s" % (what, "gone through" if after == good else "as before"), flush=True)


def there_and_back(c):
    first = [line for line in c.agent("snapshot", "list", "db", "-o", "json").stdout.split('"') if line.startswith("snap-")][0]
    good = same(c)
    change(c, 3)
    three = c.now()
    middle = same(c)
    change(c, 4)
    change(c, 5)
    last = same(c)
    inode = c.data.stat().st_ino
    done = c.ends(0, "rollback", "start", "db", "--to-time", three, "-o", "json", says="in place, only what differs")
    moments.check("a moment, in place", same(c) == middle and c.data.stat().st_ino == inode and not beside(c), beside(c))
    moments.check("on a timeline of its own", c.timeline() == 2, c.timeline())
    c.ends(0, "rollback", "start", "db", "--to", json.loads(done.stdout)["safety_snapshot"])
    moments.check("and back to what was there before", same(c) == last, c.tail())
    done = c.ends(0, "rollback", "start", "db", "--to", first, "-o", "json")
    moments.check("a restore point", same(c) == good and not beside(c), c.tail())
    steps = {s["kind"]: s.get("took_ms", 0) for s in json.loads(done.stdout)["steps"]}
    print("steps, in milliseconds:", steps)
    change(c, 7)
    before = same(c)
    (c.dir / "fail").touch()
    done = c.agent("rollback", "start", "db", "--to", first)
    (c.dir / "fail").unlink()
    c.run(c.dir / "ctl", "start")
    moments.check("what does not start is put back, in place", done.returncode != 0 and same(c) == before and not beside(c), done.stdout + same(c))
    code, status = c.settled()
    moments.check("its archive is whole", code == 0 and status["state"] == "ok", status)
    return first, good


def leave_free(c, size):
    (c.dir / "disk/filler").unlink(missing_ok=True)
    with open(c.dir / "disk/filler", "wb") as f:
        f.write(b"x" * (shutil.disk_usage(c.data).free - size))


def no_room_at_all(c, first):
    c.sql("UPDATE wide SET pad = repeat('x', 90) WHERE i > 120000")
    c.settled()
    pid, before = c.pid(), same(c)
    leave_free(c, 6 << 20)  # the backup itself makes it write some log
    done = c.agent("rollback", "start", "db", "--to", first)
    leave_free(c, FREE)
    moments.check("no room for what differs: refused while it runs", done.returncode != 0 and "not enough room" in done.stdout + done.stderr and c.pid() == pid and
                  same(c) == before, done.stdout + done.stderr)


def interrupted(c, what, good, before, again=True):
    """It died: between the two it does not start; then it is brought to an end."""
    # Once pg_control is there again all is, and only the journal does not say so yet.
    between = state_of(c) == "between" and not (c.data / "global/pg_control").exists()
    if between:
        tried = subprocess.run([str(c.dir / "ctl"), "start"], capture_output=True)
        if tried.returncode == 0:
            moments.check(what + ": half way it does not start", False, c.tail())
    done = c.agent("rollback", "recover")
    if "failed" in done.stdout:
        moments.check(what, False, done.stdout + c.tail())
    whole(c, what + (", half way" if between else ""), good, before)
    return between


def broken_off(c, first, good, which):
    n = halves = 0
    for call, numbers in ({which[0]: moments.numbers(which[1])} if len(which) == 2 else MANY if which else KILLS).items():
        for k in numbers:
            n += 1
            change(c, 1000 + n)
            before = same(c)
            done = traced(c, "%s:signal=KILL:when=%d" % (call, k), first)
            if done.returncode not in (-9, 137):
                break
            halves += interrupted(c, "killed at %s %d" % (call, k), good, before)
    moments.check("it was killed half way, too", halves > 0 or len(which) == 2, n)
    for inject in ("renameat:error=EIO:when=2", "ftruncate:error=EIO:when=1", "fsync:error=ENOSPC:when=6"):
        n += 1
        change(c, 1000 + n)
        before = same(c)
        traced(c, inject, first)
        if state_of(c):
            interrupted(c, inject, good, before)
        else:
            whole(c, inject, good, before)


def at_random(c, first, good, count, seed):
    rng = random.Random(seed)
    change(c, 5000)
    began = time.monotonic()
    c.ends(0, "rollback", "start", "db", "--to", first)
    took = time.monotonic() - began
    for k in range(count):
        change(c, 5001 + k)
        before = same(c)
        at = rng.random() * took
        run = subprocess.Popen([str(a) for a in start(c, first)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            run.wait(at)
        except subprocess.TimeoutExpired:
            run.kill()
            run.wait()
        if state_of(c) or run.returncode < 0:
            interrupted(c, "killed after %.2f s" % at, good, before)
        else:
            whole(c, "it was quicker than %.2f s" % at, good, before)


def walk(c, which):
    c.sql("ALTER SYSTEM SET max_wal_size = '8MB'; ")
    c.sql("ALTER SYSTEM SET min_wal_size = '2MB'")
    c.sql("SELECT pg_reload_conf()")
    c.sql("CREATE TABLE wide AS SELECT i, repeat(md5(i::text), 3) AS pad FROM generate_series(1, 200000) i")
    (c.dir / "disk/space").mkdir()
    c.sql("CREATE TABLESPACE space LOCATION '%s/disk/space'" % c.dir)
    c.sql("CREATE TABLE aside TABLESPACE space AS SELECT i FROM generate_series(1, 100000) i")
    c.put(1)
    c.settled()
    c.ends(0, "snapshot", "create", "db")
    leave_free(c, FREE)
    first, good = there_and_back(c)
    no_room_at_all(c, first)
    if shutil.which("strace"):
        broken_off(c, first, good, which)
    else:
        print("strace is not installed: nothing is killed at a system call")
    at_random(c, first, good, 40 if which == ["all"] else 2, 1)


def main():
    why = moments.missing()
    if why:
        print("skipped: " + why)
        return 77
    with tempfile.TemporaryDirectory(prefix="kedge-shortroom-") as folder:
        try:
            if not moments.can_mount(folder):
                print("skipped: nothing can be mounted here")
                return 77
            c = moments.Cluster(folder, disk="200m")
            try:
                walk(c, sys.argv[2:])
            finally:
                subprocess.run([str(c.dir / "ctl"), "stop"], capture_output=True)
        finally:
            subprocess.run(["umount", "-l", pathlib.Path(folder) / "disk"], capture_output=True)
    return 1 if moments.failures else 0


if __name__ == "__main__":
    sys.exit(main())
