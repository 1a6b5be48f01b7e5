#!/usr/bin/python3
"""tests/e2e/database/mounted.py BIN [all|FROM-TO]: a PostgreSQL cluster whose data directory is a mount point is brought back too.

To a restore point, to a moment, and again; killed in the middle of the exchange (at some of its renames, or at those of FROM-TO, or at each)
its server, started by hand, refuses or starts whole, and it is brought to one of the two states, whole, by `rollback recover`.
Exit 77: skipped.
"""
import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import moments  # noqa: E402

KILLS = (1, 2, 11, 27, 28)


def traced(c, inject, target):
    return subprocess.run(["strace", "-qq", "-o", "/dev/null", "-e", "trace=renameat2", "-e", "inject=renameat2:" + inject,
                           moments.BIN / "kedge-agent", "rollback", "start", "db", "--to", target, "--config", c.dir / "agent.yaml"],
                          capture_output=True, text=True, timeout=120)


def beside(c):
    return [p.name for p in (c.dir / "data").iterdir() if p.name.startswith(".kedge-")]


def killed(c, n, first):
    """Killed at rename n: None: it had ended before; else whether its server refused to start."""
    c.put(1000 + n)
    before = c.rows()
    done = traced(c, "signal=KILL:when=%d" % n, first)
    if done.returncode not in (-9, 137):
        return None
    began = list((c.dir / "data").glob(".kedge-*.names"))
    started = c.by_hand()
    meanwhile = c.rows() if started else ""
    c.ends(0, "rollback", "recover")
    after = c.rows()
    if (started and meanwhile not in ("1", before)) or after not in ("1", before) or beside(c):
        moments.check("killed at rename %d" % n, False, "%r, then %s was %s; %s\n%s" % (meanwhile, after, before, beside(c), c.tail()))
    print("killed at rename %d: %s; %s" % (n, "it started whole" if started else "it did not start", "gone through" if after == "1" else "as before"), flush=True)
    return bool(began) and not started


def refused_by_the_disk(c, first):
    """A rename fails: it goes back by itself.  All that follow fail, too: it stands between the two, does not start, and can be brought to an end."""
    c.put(2000)
    before = c.rows()
    done = traced(c, "error=EIO:when=11", first)
    moments.check("one rename fails: all is as it was, and runs", done.returncode != 0 and c.rows() == before and not beside(c), "%s %s" % (done.stdout, beside(c)))
    done = traced(c, "error=EIO:when=11+", first)
    started = c.by_hand()
    moments.check("none works any more: it says so, and does not start", done.returncode != 0 and "between two states" in done.stdout and not started, done.stdout + c.tail())
    c.ends(1, "rollback", "recover", says="reverted")
    moments.check("and is brought back", c.rows() == before and not beside(c), "%s %s" % (c.rows(), beside(c)))


def walk(c):
    c.put(1)
    c.settled()
    c.ends(0, "snapshot", "create", "db")
    first = [line for line in c.agent("snapshot", "list", "db", "-o", "json").stdout.split('"') if line.startswith("snap-")][0]
    c.put(2)
    two = c.now()
    c.put(3)
    inode = (c.dir / "data").stat().st_ino
    c.ends(0, "rollback", "start", "db", "--to-time", two)
    moments.check("a moment", c.rows() == "1,2", c.rows())
    c.put(20)
    twenty = c.now()
    c.put(21)
    c.ends(0, "rollback", "start", "db", "--to-time", twenty)
    moments.check("a moment on the new timeline", c.rows() == "1,2,20", c.rows())
    c.ends(0, "rollback", "start", "db", "--to", first)
    moments.check("a restore point", c.rows() == "1", c.rows())
    moments.check("the mount is what it was, and nothing is left in it", (c.dir / "data").stat().st_ino == inode and not beside(c), beside(c))
    c.put(30)
    (c.dir / "fail").touch()
    done = c.agent("rollback", "start", "db", "--to", first)
    (c.dir / "fail").unlink()
    c.run(c.dir / "ctl", "start")
    moments.check("what does not start is put back, entry by entry", done.returncode != 0 and c.rows() == "1,30" and not beside(c), "%s %s" % (done.stdout, c.rows()))
    code, status = c.settled()
    moments.check("its archive is whole", code == 0 and status["state"] == "ok", status)
    if not shutil.which("strace"):
        print("strace is not installed: nothing is killed")
        return
    refused_by_the_disk(c, first)
    ends = []
    for n in moments.kills(KILLS):
        ends.append(killed(c, n, first))
        if ends[-1] is None or moments.failures:
            break
    moments.check("it was killed at some of them", len(ends) > 3, ends)
    moments.check("and refused to start between two of them", True in ends, ends)


def main():
    why = moments.missing()
    if why:
        print("skipped: " + why)
        return 77
    with tempfile.TemporaryDirectory(prefix="kedge-mounted-") as folder:
        try:
            if not moments.can_mount(folder):
                print("skipped: nothing can be mounted here")
                return 77
            c = moments.Cluster(folder, mount=True)
            try:
                walk(c)
            finally:
                subprocess.run([str(c.dir / "ctl"), "stop"], capture_output=True)
        finally:
            subprocess.run(["umount", "-l", pathlib.Path(folder) / "data"], capture_output=True)
    return 1 if moments.failures else 0


sys.exit(main())
