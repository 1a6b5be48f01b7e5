#!/usr/bin/python3
"""tests/e2e/database/mounted.py BIN [all]: a PostgreSQL cluster whose data directory is a mount point is brought back too.

To a restore point, to a moment, and again; killed in the middle of the exchange (at some of its renames, or with `all` at each) it is
brought to one of the two states, whole, by `rollback recover`.  Exit 77: skipped.
"""
import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import moments  # noqa: E402

KILLS = (1, 4, 11, 17)


def killed_at(c, n, target):
    """True: the run was killed."""
    done = subprocess.run(["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=renameat2", "-e", "inject=renameat2:signal=KILL:when=%d" % n,
                           moments.BIN / "kedge-agent", "rollback", "start", "db", "--to", target, "--config", c.dir / "agent.yaml"],
                          capture_output=True, text=True, timeout=120)
    return done.returncode < 0 or done.returncode == 137


def beside(c):
    return [p.name for p in (c.dir / "data").iterdir() if p.name.startswith(".kedge-")]


def walk(c, every):
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
    n = 0
    for n in range(1, 200) if every else KILLS:
        c.put(1000 + n)
        before = c.rows()
        if not killed_at(c, n, first):
            break
        c.ends(0, "rollback", "recover")
        after = c.rows()
        if after not in ("1", before) or beside(c):
            moments.check("killed at rename %d" % n, False, "%s was %s; %s" % (after, before, beside(c)))
            return
        print("killed at rename %d: %s" % (n, "gone through" if after == "1" else "as before"), flush=True)
    moments.check("it was killed at some of them", n > 4, n)


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
                walk(c, len(sys.argv) > 2)
            finally:
                subprocess.run([str(c.dir / "ctl"), "stop"], capture_output=True)
        finally:
            subprocess.run(["umount", "-l", pathlib.Path(folder) / "data"], capture_output=True)
    return 1 if moments.failures else 0


sys.exit(main())
