#!/usr/bin/python3
"""tests/e2e/database/shortroom.py BIN [all | CALL FROM-TO | chance COUNT SEED]: a PostgreSQL cluster is brought back on a disk that has no room for a second one.

To a restore point and to a moment, with only what differs written into the stopped data directory; refused while it runs where there is no
room for that either; killed (at some of its system calls, or at those of CALL, or at moments by chance, or with `all` at many more
of both) or refused by the disk, it ends as it was or as it should be, or stands between the two, does not start, and is brought to an end by `rollback recover`.
Exit 77: skipped.
"""
import json
import pathlib
import random
import shutil
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import cluster  # noqa: E402
from wide import FREE, beside, change, fill, is_between, same  # noqa: E402

CALLS = "renameat,unlinkat,ftruncate,fsync,utimensat"
KILLS = {"renameat": (1, 3), "unlinkat": (2,), "fsync": (5,)}
MANY = {call: range(1, 60) for call in CALLS.split(",") + ["pwrite64"]}


def whole(c, what, good, before):
    c.run(c.dir / "ctl", "start")
    after = same(c)
    if after not in (good, before) or beside(c) or c.unfinished():
        cluster.check(what, False, "%s\n%s\n%s\n%s %s" % (after, good, before, beside(c), c.tail()))
    else:
        print("%s: %s" % (what, "gone through" if after == good else "as before"), flush=True)


def there_and_back(c):
    first = c.newest()
    good = same(c)
    change(c, 3)
    three = c.now()
    middle = same(c)
    change(c, 4)
    change(c, 5)
    last = same(c)
    inode = c.data.stat().st_ino
    done = c.ends(0, "rollback", "start", "db", "--to-time", three, "-o", "json", says="in place, only what differs")
    cluster.check("a moment, in place", same(c) == middle and c.data.stat().st_ino == inode and not beside(c), beside(c))
    cluster.check("on a timeline of its own", c.timeline() == 2, c.timeline())
    c.ends(0, "rollback", "start", "db", "--to", json.loads(done.stdout)["safety_snapshot"])
    cluster.check("and back to what was there before", same(c) == last, c.tail())
    done = c.ends(0, "rollback", "start", "db", "--to", first, "-o", "json")
    cluster.check("a restore point", same(c) == good and not beside(c), c.tail())
    steps = {s["kind"]: s.get("took_ms", 0) for s in json.loads(done.stdout)["steps"]}
    print("steps, in milliseconds:", steps)
    change(c, 7)
    before = same(c)
    (c.dir / "fail").touch()
    done = c.agent("rollback", "start", "db", "--to", first)
    (c.dir / "fail").unlink()
    c.run(c.dir / "ctl", "start")
    cluster.check("what does not start is put back, in place", done.returncode != 0 and same(c) == before and not beside(c), done.stdout + same(c))
    code, status = c.settled()
    cluster.check("its archive is whole", code == 0 and status["state"] == "ok", status)
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
    cluster.check("no room for what differs: refused while it runs", done.returncode != 0 and "not enough room" in done.stdout + done.stderr and c.pid() == pid and
                  same(c) == before, done.stdout + done.stderr)


def interrupted(c, what, good, before, again=True):
    """It died: between the two it does not start; then it is brought to an end."""
    between = is_between(c)
    if between and c.by_hand():
        cluster.check(what + ": half way it does not start", False, c.tail())
    done = c.agent("rollback", "recover")
    if "failed" in done.stdout:
        cluster.check(what, False, done.stdout + c.tail())
    whole(c, what + (", half way" if between else ""), good, before)
    return between


def broken_off(c, first, good, which):
    n = halves = 0
    for call, numbers in ({which[0]: cluster.numbers(which[1])} if len(which) == 2 else MANY if which else KILLS).items():
        for k in numbers:
            n += 1
            change(c, 1000 + n)
            before = same(c)
            done = c.recover(first, "%s:signal=KILL:when=%d" % (call, k))
            if not cluster.was_killed(done):
                break
            halves += interrupted(c, "killed at %s %d" % (call, k), good, before)
    cluster.check("it was killed half way, too", halves > 0 or len(which) == 2, n)
    for inject in ("renameat:error=EIO:when=2", "ftruncate:error=EIO:when=1", "fsync:error=ENOSPC:when=6"):
        n += 1
        change(c, 1000 + n)
        before = same(c)
        c.recover(first, inject)
        if c.unfinished():
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
        if c.killed_after(first, at) < 0 or c.unfinished():
            interrupted(c, "killed after %.2f s" % at, good, before)
        else:
            whole(c, "it was quicker than %.2f s" % at, good, before)


def walk(c, which):
    c.sql("ALTER SYSTEM SET max_wal_size = '8MB'; ")
    c.sql("ALTER SYSTEM SET min_wal_size = '2MB'")
    c.sql("SELECT pg_reload_conf()")
    fill(c)
    leave_free(c, FREE)
    first, good = there_and_back(c)
    no_room_at_all(c, first)
    if which[:1] == ["chance"]:
        at_random(c, first, good, int(which[1]), int(which[2]))
        return
    if shutil.which("strace"):
        broken_off(c, first, good, which)
    else:
        print("strace is not installed: nothing is killed at a system call")
    if len(which) < 2:
        at_random(c, first, good, 40 if which else 2, 1)


sys.exit(cluster.main("shortroom", lambda c: walk(c, sys.argv[2:]), mounts="disk", disk="200m"))
