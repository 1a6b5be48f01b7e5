#!/usr/bin/python3
"""tests/e2e/database/mounted.py BIN [all|FROM-TO]: a PostgreSQL cluster whose data directory is a mount point is brought back too.

To a restore point, to a moment, and again; killed in the middle of the exchange (at some of its renames, or at those of FROM-TO, or at each)
its server, started by hand, refuses or starts whole, and it is brought to one of the two states, whole, by `rollback recover`.
Exit 77: skipped.
"""
import pathlib
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import cluster  # noqa: E402

KILLS = (1, 2, 11, 27, 28)


def beside(c):
    return [p.name for p in (c.dir / "data").iterdir() if p.name.startswith(".kedge-")]


def killed(c, n, first):
    """Killed at rename n: None: it had ended before; else whether its server refused to start."""
    c.put(1000 + n)
    before = c.rows()
    done = c.recover(first, "renameat2:signal=KILL:when=%d" % n)
    if not cluster.was_killed(done):
        return None
    began = list((c.dir / "data").glob(".kedge-*.names"))
    started = c.by_hand()
    meanwhile = c.rows() if started else ""
    c.ends(0, "rollback", "recover")
    after = c.rows()
    if (started and meanwhile not in ("1", before)) or after not in ("1", before) or beside(c):
        cluster.check("killed at rename %d" % n, False, "%r, then %s was %s; %s\n%s" % (meanwhile, after, before, beside(c), c.tail()))
    print("killed at rename %d: %s; %s" % (n, "it started whole" if started else "it did not start", "gone through" if after == "1" else "as before"), flush=True)
    return bool(began) and not started


def refused_by_the_disk(c, first):
    """A rename fails: it goes back by itself.  All that follow fail, too: it stands between the two, does not start, and can be brought to an end."""
    c.put(2000)
    before = c.rows()
    done = c.recover(first, "renameat2:error=EIO:when=11")
    cluster.check("one rename fails: all is as it was, and runs", done.returncode != 0 and c.rows() == before and not beside(c), "%s %s" % (done.stdout, beside(c)))
    done = c.recover(first, "renameat2:error=EIO:when=11+")
    started = c.by_hand()
    cluster.check("none works any more: it says so, and does not start", done.returncode != 0 and "between two states" in done.stdout and not started, done.stdout + c.tail())
    c.ends(1, "rollback", "recover", says="reverted")
    cluster.check("and is brought back", c.rows() == before and not beside(c), "%s %s" % (c.rows(), beside(c)))


def walk(c):
    c.put(1)
    c.settled()
    c.ends(0, "snapshot", "create", "db")
    first = c.newest()
    c.put(2)
    two = c.now()
    c.put(3)
    inode = (c.dir / "data").stat().st_ino
    c.ends(0, "rollback", "start", "db", "--to-time", two)
    cluster.check("a moment", c.rows() == "1,2", c.rows())
    c.put(20)
    twenty = c.now()
    c.put(21)
    c.ends(0, "rollback", "start", "db", "--to-time", twenty)
    cluster.check("a moment on the new timeline", c.rows() == "1,2,20", c.rows())
    c.ends(0, "rollback", "start", "db", "--to", first)
    cluster.check("a restore point", c.rows() == "1", c.rows())
    cluster.check("the mount is what it was, and nothing is left in it", (c.dir / "data").stat().st_ino == inode and not beside(c), beside(c))
    c.put(30)
    (c.dir / "fail").touch()
    done = c.agent("rollback", "start", "db", "--to", first)
    (c.dir / "fail").unlink()
    c.run(c.dir / "ctl", "start")
    cluster.check("what does not start is put back, entry by entry", done.returncode != 0 and c.rows() == "1,30" and not beside(c), "%s %s" % (done.stdout, c.rows()))
    code, status = c.settled()
    cluster.check("its archive is whole", code == 0 and status["state"] == "ok", status)
    if not shutil.which("strace"):
        print("strace is not installed: nothing is killed")
        return
    refused_by_the_disk(c, first)
    ends = []
    for n in cluster.kills(KILLS):
        ends.append(killed(c, n, first))
        if ends[-1] is None or cluster.failures:
            break
    cluster.check("it was killed at some of them", len(ends) > 3, ends)
    cluster.check("and refused to start between two of them", True in ends, ends)


sys.exit(cluster.main("mounted", walk, mounts="data", mount=True))
