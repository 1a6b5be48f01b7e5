#!/usr/bin/python3
"""tests/e2e/database/power.py BIN [all | WAY CALL FROM-TO | WAY chance COUNT SEED]: the power goes while a PostgreSQL cluster is brought back.

All of it, cluster, repository and journal, lies on an ext4 file system on an image, which is shut down as if the power went, without a last flush,
at a system call of the rollback or at a moment by chance; both ways, WAY: `exchange` of what was staged beside, tablespace and data directory, and
`place`, only what differs, where there is no room for two.  After the reboot the server, started by hand, refuses or is whole; `rollback recover`
brings it to what was there before or to the restore point; it starts, all rows are there, and `pg_checksums` finds nothing.  Some calls of each
way, or all and moments by chance, or those of a call or by chance.  Exit 77: skipped.
"""
import contextlib
import fcntl
import itertools
import os
import pathlib
import random
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

# A copy of the mount in a namespace that somebody else makes meanwhile would keep the file system that was shut down: it is seen here only.
if os.environ.get("KEDGE_UNSHARED") != "1":
    if os.geteuid() != 0 or subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode != 0:
        print("skipped: needs root and mount namespaces")
        sys.exit(77)
    os.execvpe("unshare", ["unshare", "-m", "--propagation", "private", sys.executable] + sys.argv, dict(os.environ, KEDGE_UNSHARED="1"))

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import cluster  # noqa: E402
from wide import FREE, beside, change, fill, is_between, same  # noqa: E402

SHUTDOWN, NO_LOG_FLUSH = 0x8004587D, 2
PLACES = {"exchange": {"renameat2": (2, 4)}, "place": {"renameat": (9, 11), "fsync": (6,)}}
CALLS = {"exchange": ("renameat2", "fsync", "syncfs", "rename"), "place": ("renameat", "unlinkat", "fsync", "ftruncate", "syncfs", "pwrite64", "rename")}
changes = itertools.count(2)
MANY, BY_CHANCE = range(1, 60), 30


class Disk:
    """An ext4 file system at folder/disk, on an image."""

    def __init__(self, folder, size):
        self.image, self.at = pathlib.Path(folder) / "image", pathlib.Path(folder) / "disk"
        self.at.mkdir()
        with open(self.image, "wb") as f:
            f.truncate(size)
        subprocess.run(["/sbin/mkfs.ext4", "-q", "-F", self.image], check=True, capture_output=True)

    def mount(self):
        return subprocess.run(["mount", "-o", "loop", self.image, self.at], capture_output=True).returncode == 0

    def cut(self):
        fd = os.open(self.at, os.O_RDONLY)
        fcntl.ioctl(fd, SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        os.close(fd)


def processes_on(c):
    """Servers of the cluster, and what they run."""
    for p in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if os.readlink(p / "cwd").startswith(str(c.dir / "disk")):
                yield int(p.name)
        except OSError:
            continue


def reboot(c, disk):
    """Everything on it ends, and it is mounted again: its journal is replayed."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        left = list(processes_on(c))
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if not left and subprocess.run(["umount", disk.at], capture_output=True).returncode == 0:
            break
        time.sleep(0.02)
    if not disk.mount():
        sys.exit("FAILED: the disk cannot be mounted again: %s" % left)
    # Nothing lives through a reboot; here the number of one that has ended is taken until it is reaped, and who finds its lock file takes it for a living one.
    lock = c.data / "postmaster.pid"
    owner = lock.read_text().split()[:1] if lock.exists() else []
    while owner and os.path.exists("/proc/" + owner[0]) and time.monotonic() < until:
        time.sleep(0.02)


def checksums(c):
    c.run(c.dir / "ctl", "stop")
    done = subprocess.run([*map(str, c.become), str(c.bin / "pg_checksums"), "--check", "-D", str(c.data)], capture_output=True, text=True, timeout=120)
    c.run(c.dir / "ctl", "start")
    return "" if done.returncode == 0 else done.stdout + done.stderr


def prepare(c, way):
    """What lies on its disk leaves room for a second cluster, or none."""
    filler = c.dir / "disk/filler"
    filler.unlink(missing_ok=True)
    if way == "place":
        free = shutil.disk_usage(c.data).free - FREE
        subprocess.run(["fallocate", "-l", str(max(free, 1 << 20)), filler], check=True)


def after(c, disk, what, good, before):
    disk.cut()
    reboot(c, disk)
    between = c.guarded() or is_between(c)
    started = c.by_hand()
    meanwhile = same(c) if started else good
    done = c.agent("rollback", "recover")
    c.run(c.dir / "ctl", "start")
    got, damage = same(c), checksums(c)
    wrong = (started and between) or meanwhile not in (good, before) or got not in (good, before) or damage or c.unfinished() or beside(c)
    if wrong:
        cluster.check(what, False, "between: %s, started: %s\n%s\n%s\nwas %s\ngood %s\n%s %s %s\n%s\n%s" % (
            between, started, meanwhile, got, before, good, damage, c.unfinished(), beside(c), done.stdout + done.stderr, c.tail()))
    else:
        print("%s: %s, %s" % (what, "half way it did not start" if between else "it started" if started else "it did not start",
                              "gone through" if got == good else "as before"), flush=True)
    return "between" if between else "forward" if got == good else "back"


def at_a_call(c, disk, way, call, n, point, good):
    """None: there are not so many."""
    change(c, next(changes))
    prepare(c, way)
    before = same(c)
    done = c.recover(point, "%s:signal=KILL:when=%d" % (call, n))
    if not cluster.was_killed(done):
        return None
    return after(c, disk, "%s: the power goes at %s %d" % (way, call, n), good, before)


def by_chance(c, disk, way, count, seed, point, good):
    rng = random.Random(seed)
    ends = []
    for _ in range(count):
        change(c, next(changes))
        prepare(c, way)
        before = same(c)
        at = rng.random() * 1.5
        c.killed_after(point, at)
        ends.append(after(c, disk, "%s: the power goes after %.2f s" % (way, at), good, before))
    return ends


def walk(c, disk, which):
    fill(c)
    subprocess.run(["sync", "-f", disk.at], check=True)  # what made the cluster did not
    point = c.newest()
    good = same(c)
    ends = []
    for way in PLACES:
        if len(which) > 1 and which[0] != way:
            continue
        if len(which) == 4:
            ends += by_chance(c, disk, way, int(which[2]), int(which[3]), point, good)
            continue
        chosen = {which[1]: cluster.numbers(which[2])} if len(which) == 3 else {call: MANY for call in CALLS[way]} if which else PLACES[way]
        for call, numbers in chosen.items():
            for n in numbers:
                ends.append(at_a_call(c, disk, way, call, n, point, good))
                if ends[-1] is None or cluster.failures:
                    break
        if which == ["all"]:
            ends += by_chance(c, disk, way, BY_CHANCE, 7, point, good)
    print({end: ends.count(end) for end in set(ends)})
    cluster.check("the power went half way, too", "between" in ends or len(which) > 1, ends)
    code, status = c.settled()
    cluster.check("its archive is whole", code == 0 and status["state"] == "ok", status)
    c.ends(0, "snapshot", "verify", "last")


def main():
    why = cluster.missing() or (not shutil.which("strace") and "strace is not installed")
    if why:
        print("skipped: " + why)
        return 77
    with tempfile.TemporaryDirectory(prefix="kedge-power-") as folder:
        disk = Disk(folder, 600 << 20)
        if not disk.mount():
            print("skipped: nothing can be mounted here")
            return 77
        try:
            with cluster.stopping(cluster.Cluster(folder, durable=True)) as c:
                walk(c, disk, sys.argv[2:])
        finally:
            subprocess.run(["umount", "-l", disk.at], capture_output=True)
    return 1 if cluster.failures else 0


sys.exit(main())
