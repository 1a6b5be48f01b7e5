#!/usr/bin/python3
"""tests/e2e/database/kills.py BIN COUNT SEED: a PostgreSQL cluster is brought back, and the agent, or its server, or both die at a moment by chance.

To a restore point and to moments between, in turn, one recovery after another on ever new timelines.  Whatever died, `rollback recover` ends as it
was or as it should be, all rows are there, nothing is left beside, and the archive has no gap at the end.  A command of its own, no part of every
run of the tests.  Exit 77: skipped.
"""
import contextlib
import os
import pathlib
import random
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import cluster  # noqa: E402
from cluster import DONE, check  # noqa: E402


def kill(pid):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def server(c):
    """Its first process; None: it does not run."""
    try:
        pid = int(c.pid())
        return pid if os.readlink("/proc/%d/cwd" % pid) == str(c.data) else None
    except (OSError, ValueError, IndexError):
        return None


def died(c, words, after, who):
    """Who of the two dies then; both of them: the agent first."""
    run = subprocess.Popen([str(cluster.BIN / "kedge-agent"), *words, "--config", str(c.dir / "agent.yaml")], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                           text=True)
    time.sleep(after)
    if "agent" in who:
        run.kill()
    pid = server(c) if "server" in who else None
    if pid:
        kill(pid)
        until = time.monotonic() + 20  # its number is taken until it is reaped, and pg_ctl takes that for a server
        while os.path.exists("/proc/%d" % pid) and time.monotonic() < until:
            time.sleep(0.01)
    return run.communicate(timeout=120)[0]


def left(c):
    return [p.name for p in c.data.parent.iterdir() if ".kedge-" in p.name] + [p.name for p in c.data.iterdir() if p.name[0] == "." or p.name.endswith(".new")]


def walk(c):
    count, rng = int(sys.argv[2]), random.Random(int(sys.argv[3]))
    c.put(1)
    c.settled()
    c.ends(DONE, "snapshot", "create", "db")
    point, ends, n = c.newest(), {}, 1
    for k in range(count):
        if k % 2:  # the base of the next ones, on the timeline of today
            c.ends(DONE, "snapshot", "create", "db")
            point = c.newest()
        at_point = c.rows() if k % 2 else None
        c.put(n := n + 1)
        at_moment, moment = c.rows(), c.now()
        c.put(n := n + 1)
        before = c.rows()
        to_moment = at_point is None or rng.random() < 0.5
        good = at_moment if to_moment else at_point
        after, who = rng.random() * 1.6, rng.choice(["agent", "agent", "server", "agent and server"])
        said = died(c, ["rollback", "start", "db", *(["--to-time", moment] if to_moment else ["--to", point])], after, who)
        recovered = c.agent("rollback", "recover")
        said += recovered.stdout + recovered.stderr
        c.run(c.dir / "ctl", "start")
        until = time.monotonic() + 30  # somebody killed a server that recovers: it does so again
        while c.sql("SELECT pg_is_in_recovery()") == "t" and time.monotonic() < until:
            time.sleep(0.05)
        got = c.rows()
        what = "%s, %s dies after %.2f s" % ("a moment" if to_moment else "a restore point", who, after)
        if got not in (good, before) or left(c) or c.unfinished():
            check(what, False, "%s\nwanted %s\nor %s\n%s %s\n%s\n%s" % (got, good, before, left(c), c.unfinished(), said, c.tail()))
            break
        end = "gone through" if got == good else "as before"
        ends[end] = ends.get(end, 0) + 1
        print("%s: %s, timeline %d" % (what, end, c.timeline()), flush=True)
        code, status = c.settled()
        if code != DONE or cluster.failures:
            check("its archive is whole", False, "%s\n%s" % (status, said))
            break
    print(ends)
    code, status = c.settled()
    check("its archive is whole", code == DONE and status["state"] == "ok", status)
    c.ends(DONE, "snapshot", "create", "db")


sys.exit(cluster.main("kills", walk))
