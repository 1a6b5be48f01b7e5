"""recovery.py: what recovery.sh runs: the operations of a snapshot tool on generated trees, timed, ours beside others'.

Every operation is a process of its own, as a person would run it, from a warm cache, on a machine at rest (recovery_machine.py); what must be durable is (each peer gets a sync behind what it
does not sync by itself).  Medians.  After each rollback of ours the tree is compared with a copy of how it was by rsync -niaHAX --delete (of the
mission's tree, which is too large for a copy, with digests of every file): what differs ends the run.

The limit beside a row is what the machine allowed in this run (recovery_limits.py).  The peers are in recovery_peers.py; what must hold and what is aimed at stands in ROWS.
"""
import argparse
import hashlib
import json
import os
import re
import resource
import select
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from recovery_limits import Limits
from recovery_peers import Failed, Kedge, PEERS, machine, remove, run

# name of the figure, words, what must hold, what is aimed at, unit (s: seconds, M: bytes shown in MB, m: bytes shown in MiB)
ROWS = [
    ("code first", "code, first snapshot", 4, 2.5, "s"),
    ("code nothing", "code, nothing changed", .28, .12, "s"),
    ("code changed", "code, 1 % changed", .5, .2, "s"),
    ("code verify", "code, verify all data", 2, 1, "s"),
    ("code restore", "code, restore to an empty place, synced", 4, 2.8, "s"),
    ("code rollback", "code, rollback in place, 1 % changed", .55, .36, "s"),
    ("code prepared", "the same, staged beforehand", .02, .005, "s"),
    ("config first", "config, first snapshot", .15, .08, "s"),
    ("config nothing", "config, nothing changed", .03, .01, "s"),
    ("config changed", "config, 1 % changed", .05, .02, "s"),
    ("config rollback", "config, rollback in place", .04, .015, "s"),
    ("data first", "data, first snapshot", 5, 3.4, "s"),
    ("data nothing", "data, nothing changed", .05, .01, "s"),
    ("data changed", "data, 1 % of pages changed", 2, 1, "s"),
    ("data stored", "data, stored for 12 MB of changed pages", 60e6, 25e6, "M"),
    ("data restore", "data, restore to an empty place, synced", 2.6, 2.2, "s"),
    ("data rollback", "data, rollback in place, 1 % changed", 1.5, .9, "s"),
    ("postgres base", "PostgreSQL 1.1 GB, base", 3.5, 2, "s"),
    ("postgres changed", "PostgreSQL, 1 % incremental", 2, .8, "s"),
    ("postgres verify", "PostgreSQL, verify", 1.5, .6, "s"),
    ("postgres rollback", "PostgreSQL, rollback, stop to ready", 2, .7, "s"),
    ("postgres mounted", "PostgreSQL, rollback on a mount point, the same", 2, .7, "s"),
    ("postgres room", "PostgreSQL, rollback without room for two, the same", 2, .7, "s"),
    ("postgres pitr", "PostgreSQL, point in time, stop to ready", 2.4, 1.2, "s"),
    ("code repository", "repository after the first snapshot, code", 215e6, 165e6, "M"),
    ("watch", "a watched process dies, its service is known to be down", .02, .005, "s"),
    ("peak", "peak memory, code and data", 64 << 20, 32 << 20, "m"),
]
OPERATIONS = ["first", "nothing", "verify", "restore", "changed", "rollback", "prepared"]
WRITES_MUCH = ["restore"]
KINDS = ["config", "code", "data"]


# ---- figures: {"code first": {"kedge": [seconds, ...], "restic": [...]}} ----

class Figures:
    def __init__(self, path):
        self.path, self.all = path, {}
        if path and os.path.exists(path):
            with open(path) as f:
                self.all = json.load(f)

    def forget(self, section, who):
        """A section that is measured again replaces what was kept of it."""
        for name, of in self.all.items():
            if name.split()[0] == section:
                of.pop(who, None)

    def add(self, name, who, value):
        self.all.setdefault(name, {}).setdefault(who, []).append(value)

    def highest(self, name, who, value):
        of = self.all.setdefault(name, {})
        of[who] = [max([value] + of.get(who, []))]

    def median(self, name, who):
        values = self.all.get(name, {}).get(who)
        return statistics.median(values) if values else None

    def keep(self):
        if self.path:
            with open(self.path + ".tmp", "w") as f:
                json.dump(self.all, f, indent=1)
            os.rename(self.path + ".tmp", self.path)


def verdict(value, must, aim):
    if value is None:
        return "none"
    return "aim" if value <= aim else "must" if value <= must else "MISSED"


def number(value, unit):
    if value is None:
        return "-"
    if unit == "M":
        return "%.1f MB" % (value / 1e6)
    if unit == "m":
        return "%.0f MiB" % (value / (1 << 20))
    return "%.4f" % value if value < .01 else "%.3f" % value if value < 10 else "%.1f" % value


def show(figures):
    names = [n for n in [*PEERS, "pgbackrest"] if any(n in of for of in figures.all.values())]
    print("\n%-44s %9s %8s %8s %7s %16s" % ("", "kedge", "must", "aim", "", "limit") + "".join(" %16s" % n for n in names))
    missed = 0
    for name, words, must, aim, unit in ROWS:
        value = figures.median(name, "kedge")
        if value is None and not figures.all.get(name) and not any(n.startswith(name.split()[0]) for n in figures.all):
            continue  # of a section that was not asked for
        mark = verdict(value, must, aim)
        missed += mark in ("MISSED", "none")
        line = "%-52s %9s %8s %8s %7s" % (words, number(value, unit), number(must, unit).rstrip("0").rstrip("."), number(aim, unit).rstrip("0").rstrip("."), mark)
        limit = figures.median(name, "limit")
        line += " %16s" % ("-" if limit is None else number(limit, unit) + (" x%.2f" % (limit / value) if value else ""))
        for n in names:
            theirs = figures.median(name, n)
            line += " %16s" % ("-" if theirs is None else number(theirs, unit) + (" x%.1f" % (theirs / value) if value else ""))
        print(line)
    print("x: how many times as long or large as ours; limit: what this machine allowed in the same run, to who has all in memory.  %s" % ("%d rows above what must hold, or without a figure" % missed if missed else "every row holds"))
    sys.stdout.flush()


# ---- trees ----

def generate(a, kind, tree):
    """From the generator, or a copy of what --trees keeps from an earlier run."""
    kept = os.path.realpath(os.path.join(a.trees, kind)) if a.trees else None
    if kept and os.path.isdir(kept):
        run(["cp", "-a", "--reflink=auto", kept, tree], sync=os.path.dirname(tree))
        return
    run([sys.executable, a.generator, kind, tree])
    if kept:
        os.makedirs(a.trees, exist_ok=True)
        run(["cp", "-a", tree, kept], sync=kept)


def mutate(a, tree, generation):
    run([sys.executable, a.generator, "mutate", tree, "--gen", str(generation)])
    subprocess.run(["sync"], check=True)
    time.sleep(.1)  # what was just written is read again next time, by design


def reset(tree, pristine):
    run(["rsync", "-aHAX", "--delete", "--checksum", pristine + "/", tree + "/"], sync=tree)
    time.sleep(.1)


def same(tree, pristine):
    left = run(["rsync", "-niaHAX", "--modify-window=-1", "--checksum", "--delete", pristine + "/", tree + "/"])[3]
    if left:
        raise Failed("a rollback left differences:\n" + left[:1000])


def fingerprint(tree):
    """Names, modes, owners, times and contents of everything, as one digest."""
    whole = hashlib.sha256()
    for folder, folders, files in os.walk(tree):
        folders.sort()
        for name in sorted(files) + folders:
            path = os.path.join(folder, name)
            st = os.lstat(path)
            size = st.st_size if name in files else 0
            whole.update(repr((path[len(tree):], st.st_mode, st.st_uid, st.st_gid, st.st_mtime_ns, size)).encode())
            if os.path.islink(path):
                whole.update(os.readlink(path).encode(errors="surrogateescape"))
            elif name in files:
                content = hashlib.sha256()
                with open(path, "rb") as f:
                    while block := f.read(1 << 20):
                        content.update(block)
                whole.update(content.digest())
    return whole.hexdigest()


# ---- ours, and others ----

def note(figures, kind, operation, who, result):
    figures.add("%s %s" % (kind, operation), who, result[0])
    if kind in ("code", "data"):
        figures.highest("peak", who, result[2])


def timed(tool, operation, *words):
    machine.settle(operation in WRITES_MUCH and "config" not in tool.trees)
    return getattr(tool, operation)(*words)


def measure_ours(a, kind, base, tree, pristine, figures):
    tool = Kedge(base, {kind: tree}, a.agent)
    figures.forget(kind, "kedge")
    for n in range(a.rounds):
        machine.settle(False)  # before all is read: what nobody touches for a minute may leave the page cache
        reset(tree, pristine)
        tool.fresh()
        note(figures, kind, "first", "kedge", timed(tool, "first"))
        figures.add(kind + " repository", "kedge", tool.size())
        point = tool.newest()["snapshot"]
        note(figures, kind, "nothing", "kedge", timed(tool, "nothing"))
        note(figures, kind, "verify", "kedge", tool.verify())
        note(figures, kind, "restore", "kedge", timed(tool, "restore"))
        tool.forget_restored()
        mutate(a, tree, 2 * n + 1)
        note(figures, kind, "changed", "kedge", tool.changed())
        figures.add(kind + " stored", "kedge", tool.newest()["stored_bytes"])
        note(figures, kind, "rollback", "kedge", timed(tool, "rollback", point))
        same(tree, pristine)
        if kind == "code" and tool.can_prepare():
            mutate(a, tree, 2 * n + 2)
            tool.prepare(point)
            note(figures, kind, "prepared", "kedge", tool.rollback(point))
            tool.forget_prepared()
            same(tree, pristine)
        if kind == "code":
            machine.removed()
    tool.fresh()
    figures.keep()


def measure_limits(a, kind, base, tree, pristine, figures):
    if not a.limits.program:
        return
    figures.forget(kind, "limit")
    for n in range(a.rounds):
        machine.settle(False)  # before all is read: what nobody touches for a minute may leave the page cache
        reset(tree, pristine)
        figures.add(kind + " nothing", "limit", a.limits.walk(tree))
        figures.add(kind + " restore", "limit", a.limits.copy(tree, os.path.join(base, "limit-%d" % n), kind != "config"))
        mutate(a, tree, 2 * n + 1)
        figures.add(kind + " rollback", "limit", a.limits.rollback(tree, pristine))
        if kind == "code":
            figures.add(kind + " prepared", "limit", a.limits.swap(base))
    if kind == "code":
        machine.removed()
    figures.keep()


def measure_peer(a, name, kind, base, tree, pristine, figures):
    tool = PEERS[name](base, {kind: tree})
    figures.forget(kind, name)
    stored = None
    for n in range(a.peer_rounds):
        machine.settle(False)  # before all is read: what nobody touches for a minute may leave the page cache
        reset(tree, pristine)
        tool.fresh()
        for operation in OPERATIONS[:-1]:
            if operation == "changed":
                mutate(a, tree, 2 * n + 1)
                before = tool.size()
            if operation == "rollback" and hasattr(tool, "rollback"):
                stored = tool.size() - before
                mutate(a, tree, 2 * n + 2)
                note(figures, kind, operation, name, timed(tool, "rollback", None))
            elif operation != "rollback" and hasattr(tool, operation):
                note(figures, kind, operation, name, timed(tool, operation))
            if operation == "first":
                figures.add(kind + " repository", name, tool.size())
            if operation == "restore":
                tool.forget_restored()
        if tool.keeps:
            figures.add(kind + " stored", name, stored if stored is not None else tool.size() - before)
    machine.bury(tool.repo)
    if kind == "code":
        machine.removed()
    figures.keep()


def bench(a, kind, folder, figures):
    base = os.path.join(folder, kind)
    tree, pristine = os.path.join(base, "tree"), os.path.join(base, "pristine")
    os.makedirs(base)
    generate(a, kind, tree)
    run(["cp", "-a", tree, pristine], sync=base)
    if "kedge" in a.peers:
        measure_ours(a, kind, base, tree, pristine, figures)
        measure_limits(a, kind, base, tree, pristine, figures)
    for name in a.peers:
        if name != "kedge" and shutil.which(name):
            measure_peer(a, name, kind, base, tree, pristine, figures)
    machine.bury(base)
    machine.empty()


# ---- PostgreSQL: database/postgres.sh says a figure a line ----

POSTGRES = {"base": "base", "1 % of pages changed": "changed", "verify": "verify", "delta restore and start": "rollback"}
STOP_TO_READY = {"rollback": "rollback", "point in time": "pitr", "rollback, the data directory is a mount point": "mounted", "rollback, no room for a second one": "room"}


def postgres(a, figures):
    if not shutil.which("pg_ctl") and not any(os.path.isdir(os.path.join("/usr/lib/postgresql", v)) for v in _versions()):
        print("no PostgreSQL here: its rows are left out")
        return
    out = run([os.path.join(os.path.dirname(os.path.abspath(__file__)), "database", "postgres.sh"), a.agent])[3]
    figures.forget("postgres", "kedge")
    figures.forget("postgres", "pgbackrest")
    last = None
    for line in out.splitlines():
        m = re.match(r"(\s*)(.*?)\s+(kedge|pgbackrest)\s+([0-9.]+) s$", line)
        if not m:
            continue
        words, who, value = m[2], m[3], float(m[4])
        if m[1] and words.startswith("of which from stop to ready"):
            figures.add("postgres " + STOP_TO_READY[last], who, value)
        elif words in POSTGRES:
            figures.add("postgres " + POSTGRES[words], who, value)
        last = words
    figures.keep()


def _versions():
    return os.listdir("/usr/lib/postgresql") if os.path.isdir("/usr/lib/postgresql") else []


# ---- a process that is watched ----

def wait_for(stream, words, deadline_s=30):
    """The time at which a line with these words came.  Not by readline(): it keeps what came together with a line, and select() does not see that."""
    end, told = time.monotonic() + deadline_s, b""
    while select.select([stream], [], [], max(0, end - time.monotonic()))[0]:
        some, now = os.read(stream.fileno(), 1 << 16), time.monotonic()
        told += some
        if words.encode() in told:
            return now
        if not some:
            break
    raise Failed("the agent never said: " + words)


def watch(a, folder, figures):
    base = os.path.join(folder, "watch")
    os.makedirs(base)
    pid_file, config = os.path.join(base, "pid"), os.path.join(base, "agent.yaml")
    with open(config, "w") as f:
        f.write("host: bench\nstate_directory: %s/state\nservices:\n  bench:\n    components: { config: { paths: [/etc/hostname] } }\n    probes:\n"
                "      - { name: alive, every: 1m, fall: 1, rise: 1, process: { pid_file: %s } }\n" % (base, pid_file))
    run([a.agent, "repo", "init", "--config", config])
    figures.forget("watch", "kedge")
    for _ in range(a.rounds):
        victim = subprocess.Popen(["sleep", "600"])
        with open(pid_file, "w") as f:
            f.write("%d\n" % victim.pid)
        agent = subprocess.Popen([a.agent, "run", "--config", config], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL, bufsize=0)
        stream = agent.stderr
        try:
            wait_for(stream, 'probe=alive msg="is ok')
            time.sleep(1.5)  # held by its descriptor from the next second on; its probe is not due for a minute
            killed = time.monotonic()
            victim.kill()
            figures.add("watch", "kedge", wait_for(stream, 'probe=alive msg="is critical') - killed)
        finally:
            victim.kill()
            victim.wait()
            agent.terminate()
            agent.wait()
    figures.keep()


# ---- cost against size ----

def scale(a, folder, counts):
    """Trees of so many files of a kilobyte, a hundred in each folder."""
    operations = ("first", "nothing", "verify", "restore", "changed", "rollback")
    print("\n== cost against size: seconds, microseconds a file, and peak MiB\n%10s" % "files" + "".join("%24s" % o for o in operations))
    for count in counts:
        base = os.path.join(folder, "scale-%d" % count)
        tree = os.path.join(base, "tree")
        for i in range(count):
            if i % 100 == 0:
                os.makedirs("%s/%03d/%05d" % (tree, i // 100000, i // 100))
            with open("%s/%03d/%05d/%d" % (tree, i // 100000, i // 100, i), "wb") as f:
                f.write(b"%d " % i * (1000 // (len(str(i)) + 1)))
        subprocess.run(["sync"], check=True)
        tool = Kedge(base, {"data": tree}, a.agent)
        tool.fresh()
        line = "%10d" % count
        for operation in operations:
            if operation == "changed":
                point, before = tool.newest()["snapshot"], fingerprint(tree)
                tool.forget_restored()
                for i in range(0, count, 100):
                    with open("%s/%03d/%05d/%d" % (tree, i // 100000, i // 100, i), "ab") as f:
                        f.write(b"changed")
                subprocess.run(["sync"], check=True)
            took, _, peak, _ = tool.rollback(point) if operation == "rollback" else getattr(tool, operation)()
            line += "%24s" % ("%.2f s %.1f us %.0f MiB" % (took, took * 1e6 / count, peak / (1 << 20)))
        if fingerprint(tree) != before:
            raise Failed("a rollback left differences among %d files" % count)
        print(line)
        sys.stdout.flush()
        remove(base)


# ---- the mission's own limits ----

def mission(a, folder):
    """A service of configuration, code and 8 GB of data; what a terabyte would take is the same cost a byte."""
    trees = {}
    for kind in KINDS:
        trees[kind] = os.path.join(folder, "mission", kind)
        os.makedirs(os.path.dirname(trees[kind]), exist_ok=True)
        kept = os.path.join(a.trees, "mission-data") if a.trees and kind == "data" else None
        if kept and os.path.isdir(kept):
            os.rename(kept, trees[kind])  # too large for a copy
        elif kind == "data":
            run([sys.executable, a.generator, "data", trees[kind], "--bytes", "8000000000"])
        else:
            generate(a, kind, trees[kind])
    tool = Kedge(os.path.join(folder, "mission"), trees, a.agent)
    tool.fresh()
    size = {k: int(run(["du", "-s", "-B1", "--apparent-size", t])[3].split()[0]) for k, t in trees.items()}
    size[None] = sum(size.values())
    print("\n== the mission: %.1f GB in %s" % (size[None] / 1e9, ", ".join("%s %.2f GB" % (k, size[k] / 1e9) for k in KINDS)))
    print("%-44s %10s %10s %9s %14s" % ("", "seconds", "within", "", "min per TB"))

    def line(words, result, limit, of):
        print("%-44s %10.2f %10d %9s %14.1f   peak %.0f MiB" % (
            words, result[0], limit, "ok" if result[0] <= limit else "MISSED", result[0] * 1e12 / size[of] / 60, result[2] / (1 << 20)))
        sys.stdout.flush()

    before = {k: fingerprint(t) for k, t in trees.items()}
    line("first snapshot", tool.first(), 120, None)
    point = tool.newest()["snapshot"]
    line("nothing changed", tool.nothing(), 120, None)
    line("validation, every chunk", tool.verify(), 60, None)
    line("validation, sampled (99 %: < 0.1 % bad)", tool.verify(True), 60, None)
    for k in KINDS:
        mutate(a, trees[k], 1)
    line("snapshot, 1 % changed", tool.changed(), 120, None)
    for kind, limit, words in (("config", 60, "rollback of the configuration"), ("code", 120, "rollback of the code"), ("data", 300, "rollback of data with databases")):
        line(words, tool.rollback(point, kind), limit, kind)
        if fingerprint(trees[kind]) != before[kind]:
            raise Failed("the rollback of %s left differences" % kind)
    for k in KINDS:
        mutate(a, trees[k], 2)
    line("rollback of everything", tool.rollback(point), 900, None)
    for kind in KINDS:
        if fingerprint(trees[kind]) != before[kind]:
            raise Failed("the rollback left differences in %s" % kind)
    remove(tool.repo)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--generator", required=True)
    p.add_argument("--root", required=True)
    p.add_argument("--build", default="build/release")
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--peer-rounds", type=int, default=1)
    p.add_argument("--peers", default="kedge," + ",".join(PEERS), help="who is measured; kedge is one of them")
    p.add_argument("--dir", default=None, help="where the trees and repositories are made; default $TMPDIR")
    p.add_argument("--trees", default=None, help="a folder that keeps generated trees from run to run")
    p.add_argument("--figures", default=None, help="a file that keeps the figures, so that sections can be run apart and shown together")
    p.add_argument("--scale", default="", help="files, as 10000,100000,1000000: cost against size instead of the table")
    p.add_argument("sections", nargs="*", default=[], help="config, code, data, postgres, watch (these by default), mission, table (only shows --figures)")
    a = p.parse_args()
    a.agent = os.path.join(a.root, a.build, "bin", "kedge-agent") if not os.path.isabs(a.build) else os.path.join(a.build, "bin", "kedge-agent")
    if not os.access(a.agent, os.X_OK):
        sys.exit("there is no %s: build it first (cmake --preset release), or say --build DIR" % a.agent)
    if os.geteuid() != 0:
        sys.exit("owners and device nodes are part of it: run it as root")
    a.peers = [n for n in a.peers.split(",") if n == "kedge" or n in PEERS]
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
    folder = tempfile.mkdtemp(prefix="kedge-recovery-", dir=a.dir)
    machine.begin(folder)
    figures = Figures(a.figures)
    a.limits = Limits(a.generator, folder)
    sections = a.sections or ([] if a.scale else KINDS + ["postgres", "watch"])
    print("%d processors, load %s, %s, medians of %d (peers: %d)" % (
        os.cpu_count(), os.getloadavg()[0], " ".join(os.uname()[:3:2]), a.rounds, a.peer_rounds))
    try:
        for section in sections:
            if section in KINDS:
                bench(a, section, folder, figures)
            elif section == "postgres":
                postgres(a, figures)
            elif section == "watch":
                watch(a, folder, figures)
            elif section == "mission":
                mission(a, folder)
            elif section != "table":
                sys.exit("there is no section %s" % section)
        if a.scale:
            scale(a, folder, [int(n) for n in a.scale.split(",")])
        if figures.all:
            show(figures)
        print(machine.told())
    except Failed as e:
        sys.exit(str(e))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


main()
