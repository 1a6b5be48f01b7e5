"""recovery.py: what recovery.sh runs: the operations of a snapshot tool on generated trees, timed, ours beside others'.

Every operation is a process of its own, as a person would run it, from a warm cache; what must be durable is (each peer gets a sync behind what it
does not sync by itself).  Medians; cpu is user and system time, which a busy machine changes least.  After each rollback of ours the tree is
compared with a copy of how it was by rsync -niaHAX --delete: what differs ends the run.
"""
import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

OPERATIONS = ["first", "nothing", "verify", "restore", "changed", "rollback"]
WORDS = {"first": "first snapshot", "nothing": "nothing changed", "verify": "verify all data", "restore": "restore to an empty place, synced",
         "changed": "1 % changed", "rollback": "rollback in place, 1 % changed, synced", "prepared": "the same, staged beforehand"}
# Seconds: what must hold, and what is aimed at, on two cores.
LIMITS = {
    "code": {"first": (4, 2.5), "nothing": (.28, .12), "changed": (.5, .2), "verify": (2, 1), "restore": (4, 2.8), "rollback": (.55, .36),
             "prepared": (.02, .005)},
    "config": {"first": (.15, .08), "nothing": (.03, .01), "changed": (.05, .02), "rollback": (.04, .015)},
    "data": {"first": (5, 3.4), "nothing": (.05, .01), "changed": (2, 1), "restore": (2.6, 2.2), "rollback": (1.5, .9)},
}
STORED = {"data": (60e6, 25e6)}
REPOSITORY = {"code": (215e6, 165e6)}
MEMORY = (64 << 20, 32 << 20)


class Failed(Exception):
    pass


def run(argv, env=None, cwd=None, check=True, sync=None):
    """(seconds, cpu seconds, peak bytes, output)"""
    out = tempfile.TemporaryFile()
    began = time.monotonic()
    p = subprocess.Popen(argv, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=env, cwd=cwd)
    _, status, usage = os.wait4(p.pid, 0)
    p.returncode = os.waitstatus_to_exitcode(status)
    if sync:
        subprocess.run(["sync", "-f", sync], check=True)
    took = time.monotonic() - began
    out.seek(0)
    text = out.read().decode(errors="replace")
    if check and p.returncode != 0:
        raise Failed("%s: %d\n%s" % (" ".join(argv), p.returncode, text[-2000:]))
    return took, usage.ru_utime + usage.ru_stime, usage.ru_maxrss << 10, text


def size_of(path):
    return sum(os.lstat(os.path.join(r, f)).st_blocks * 512 for r, _, fs in os.walk(path) for f in fs)


def remove(path):
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)


class Tool:
    """One way to do it in a folder of its own; each method is one timed operation."""
    words = ""

    def __init__(self, base, tree):
        self.base, self.tree, self.out = base, tree, os.path.join(base, "out-%s" % self.__class__.__name__.lower())
        self.repo = os.path.join(base, "repo-%s" % self.__class__.__name__.lower())
        self.env = dict(os.environ, HOME=base, LC_ALL="C")
        self.restores = 0

    def fresh(self):
        remove(self.repo)

    def place(self):
        """A place that was never there: freed inodes would be taken again, and that is slow on ext4."""
        self.restores += 1
        return "%s-%d" % (self.out, self.restores)

    def size(self):
        return size_of(self.repo)


class Kedge(Tool):
    words = "kedge"

    def __init__(self, base, tree, kind, agent):
        super().__init__(base, tree)
        self.agent, self.config = agent, os.path.join(base, "agent.yaml")
        with open(self.config, "w") as f:
            f.write("host: bench\nstate_directory: %s\nservices:\n  bench:\n    components: { %s: { paths: [%s] } }\n" % (self.repo, kind, tree))

    def call(self, *words):
        return run([self.agent, *words, "--config", self.config], env=self.env)

    def fresh(self):
        super().fresh()
        self.call("repo", "init")

    def first(self):
        return self.call("snapshot", "create", "bench")
    nothing = changed = first

    def verify(self):
        return self.call("snapshot", "verify", "bench")

    def restore(self):
        return self.call("restore", "last", "--into", self.place())

    def newest(self):
        return json.loads(self.call("snapshot", "list", "bench", "-o", "json")[3])[0]

    def rollback(self, point):
        return self.call("rollback", "start", "bench", "--to", point, "--no-prove")


class Restic(Tool):
    words = "restic"

    def __init__(self, base, tree):
        super().__init__(base, tree)
        self.env.update(RESTIC_PASSWORD="bench", RESTIC_REPOSITORY=self.repo, RESTIC_CACHE_DIR=os.path.join(base, "restic-cache"))

    def fresh(self):
        super().fresh()
        run(["restic", "init"], env=self.env)

    def first(self):
        return run(["restic", "backup", "-q", self.tree], env=self.env)
    nothing = changed = first

    def verify(self):
        return run(["restic", "check", "-q", "--read-data"], env=self.env)

    def restore(self):
        place = self.place()
        return run(["restic", "restore", "-q", "latest", "--target", place], env=self.env, sync=self.base)

    def rollback(self, _):
        return run(["restic", "restore", "-q", "latest", "--target", "/"], env=self.env, sync=self.base)


class Borg(Tool):
    words = "borg, lz4"

    def __init__(self, base, tree):
        super().__init__(base, tree)
        self.env.update(BORG_PASSPHRASE="bench", BORG_REPO=self.repo, BORG_BASE_DIR=base, BORG_RELOCATED_REPO_ACCESS_IS_OK="yes",
                        BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK="yes")
        self.count = 0

    def fresh(self):
        super().fresh()
        run(["borg", "init", "-e", "repokey-blake2"], env=self.env)

    def first(self):
        self.count += 1
        return run(["borg", "create", "-C", "lz4", "::s%d" % self.count, self.tree], env=self.env)
    nothing = changed = first

    def verify(self):
        return run(["borg", "check", "--verify-data"], env=self.env)

    def extract(self, cwd):
        return run(["borg", "extract", "::s%d" % self.count], env=self.env, cwd=cwd, sync=self.base)

    def restore(self):
        place = self.place()
        os.mkdir(place)
        return self.extract(place)

    def rollback(self, _):
        return self.extract("/")


class Rsync(Tool):
    words = "rsync (plain copy)"

    def copy(self, a, b):
        return run(["rsync", "-aHAX", "--delete", a + "/", b + "/"], sync=self.base)

    def first(self):
        return self.copy(self.tree, self.repo)
    nothing = changed = first

    def restore(self):
        return self.copy(self.repo, self.place())

    def rollback(self, _):
        return self.copy(self.repo, self.tree)


class Git(Tool):
    words = "git (loses times, modes)"

    def git(self, *words, tree=None, sync=None):
        return run(["git", "--git-dir", self.repo, "--work-tree", tree or self.tree, "-c", "user.name=b", "-c", "user.email=b@b", "-c", "gc.auto=0",
                    *words], env=self.env, sync=sync)

    def fresh(self):
        super().fresh()
        run(["git", "init", "-q", "--bare", self.repo], env=self.env)
        run(["git", "--git-dir", self.repo, "config", "core.bare", "false"], env=self.env)

    def first(self):
        a = self.git("add", "-A", "-f")
        b = self.git("commit", "-q", "--allow-empty", "-m", "s", sync=self.base)
        return a[0] + b[0], a[1] + b[1], max(a[2], b[2]), ""
    nothing = changed = first

    def verify(self):
        return self.git("fsck")

    def restore(self):
        place = self.place()
        os.mkdir(place)
        env = dict(self.env, GIT_INDEX_FILE=place + ".index")
        return run(["git", "--git-dir", self.repo, "--work-tree", place, "checkout", "-q", "-f", "HEAD", "--", "."], env=env, sync=self.base)

    def rollback(self, _):
        a = self.git("reset", "-q", "--hard")
        b = self.git("clean", "-q", "-f", "-d", "-x", sync=self.base)
        return a[0] + b[0], a[1] + b[1], max(a[2], b[2]), ""


class Tar(Tool):
    words = "tar, zstd -1, AES"
    seal = "openssl enc -aes-256-ctr -pass pass:bench -nosalt -md sha256"

    def fresh(self):
        super().fresh()
        os.mkdir(self.repo)

    def pipe(self, text, sync=None):
        return run(["bash", "-o", "pipefail", "-c", text], sync=sync)

    def first(self):
        return self.pipe("tar -C '%s' --listed-incremental='%s/list' -cf - . | zstd -q -1 -T2 | %s > '%s/full'" % (self.tree, self.repo, self.seal, self.repo),
                         sync=self.base)

    def nothing(self):
        return self.pipe("cp '%s/list' '%s/list2' && tar -C '%s' --listed-incremental='%s/list2' -cf - . | zstd -q -1 -T2 | %s > '%s/next'" % (
            self.repo, self.repo, self.tree, self.repo, self.seal, self.repo), sync=self.base)
    changed = nothing

    def verify(self):
        return self.pipe("%s -d < '%s/full' | zstd -q -d | tar -tf - > /dev/null" % (self.seal, self.repo))

    def restore(self):
        place = self.place()
        os.mkdir(place)
        return self.pipe("%s -d < '%s/full' | zstd -q -d | tar -C '%s' -xpf -" % (self.seal, self.repo, place), sync=self.base)


PEERS = {"restic": Restic, "borg": Borg, "rsync": Rsync, "git": Git, "tar": Tar}


class Figures:
    def __init__(self):
        self.all = {}
        self.peak = 0

    def add(self, operation, result):
        self.all.setdefault(operation, []).append(result[:2])
        self.peak = max(self.peak, result[2])

    def median(self, operation, which=0):
        rows = self.all.get(operation)
        return statistics.median(r[which] for r in rows) if rows else None


def generate(a, kind, tree):
    run([sys.executable, a.generator, kind, tree])


def mutate(a, tree, generation):
    run([sys.executable, a.generator, "mutate", tree, "--gen", str(generation)])


def reset(tree, pristine):
    run(["rsync", "-aHAX", "--delete", "--checksum", pristine + "/", tree + "/"], sync=tree)


def same(tree, pristine):
    left = run(["rsync", "-niaHAX", "--modify-window=-1", "--checksum", "--delete", pristine + "/", tree + "/"])[3]
    if left:
        raise Failed("a rollback left differences:\n" + left[:1000])


def measure_ours(a, kind, base, tree, pristine, figures):
    tool = Kedge(base, tree, kind, a.agent)
    for n in range(a.rounds):
        reset(tree, pristine)
        tool.fresh()
        time.sleep(.1)  # what was just written is read again next time, by design
        figures.add("first", tool.first())
        size = tool.size()
        point = tool.newest()["snapshot"]
        figures.add("nothing", tool.nothing())
        figures.add("verify", tool.verify())
        figures.add("restore", tool.restore())
        mutate(a, tree, 2 * n + 1)
        subprocess.run(["sync"], check=True)
        time.sleep(.1)
        figures.add("changed", tool.changed())
        stored = tool.newest()["stored"] if "stored" in tool.newest() else tool.newest().get("stored_bytes", 0)
        figures.add("rollback", tool.rollback(point))
        same(tree, pristine)
    return size, stored


def measure_peer(a, name, base, tree, pristine):
    figures, tool = Figures(), PEERS[name](base, tree)
    for n in range(a.peer_rounds):
        reset(tree, pristine)
        tool.fresh()
        for operation in OPERATIONS:
            if operation == "changed":
                mutate(a, tree, 2 * n + 1)
                subprocess.run(["sync"], check=True)
                before = tool.size()
            if operation == "rollback" and hasattr(tool, "rollback"):
                stored = tool.size() - before
                mutate(a, tree, 2 * n + 2)
                subprocess.run(["sync"], check=True)
                figures.add(operation, tool.rollback(None))
            elif operation != "rollback" and hasattr(tool, operation):
                figures.add(operation, getattr(tool, operation)())
            if operation == "first":
                size = tool.size()
    if not hasattr(tool, "rollback"):
        stored = tool.size() - before
    tool.fresh()
    for n in range(1, tool.restores + 1):
        remove("%s-%d" % (tool.out, n))
    return figures, size, stored


def verdict(value, limits):
    if value is None or not limits:
        return ""
    return "aim" if value <= limits[1] else "must" if value <= limits[0] else "ABOVE"


def seconds(value):
    return "-" if value is None else "%.3f" % value if value < 10 else "%.1f" % value


def show(kind, ours, size, stored, peers):
    print("\n== %s" % kind)
    names = list(peers)
    print("%-42s %9s %8s %14s %6s" % ("", "kedge s", "cpu s", "must / aim", "") + "".join("  %16s" % PEERS[n].words[:16] for n in names))
    for operation in OPERATIONS:
        value, limits = ours.median(operation), LIMITS[kind].get(operation)
        line = "%-42s %9s %8s %14s %6s" % (WORDS[operation], seconds(value), seconds(ours.median(operation, 1)),
                                          "%g / %g" % limits if limits else "", verdict(value, limits))
        for n in names:
            theirs = peers[n][0].median(operation)
            line += "  %16s" % ("-" if theirs is None or not value else "%s  x%.1f" % (seconds(theirs), theirs / value))
        print(line)
    for words, value, limits, which in (("repository after the first, MB", size, REPOSITORY.get(kind), 1),
                                        ("stored for 1 % changed, MB", stored, STORED.get(kind), 2)):
        print("%-42s %9.1f %8s %14s %6s" % (words, value / 1e6, "", "%g / %g" % (limits[0] / 1e6, limits[1] / 1e6) if limits else "", verdict(value, limits)) +
              "".join("  %16s" % ("%.1f  x%.1f" % (peers[n][which] / 1e6, peers[n][which] / max(value, 1))) for n in names))
    print("%-42s %9.1f %8s %14s %6s" % ("peak memory, MiB", ours.peak / (1 << 20), "", "%d / %d" % (MEMORY[0] >> 20, MEMORY[1] >> 20), verdict(ours.peak, MEMORY)) +
          "".join("  %16s" % ("%.1f" % (peers[n][0].peak / (1 << 20))) for n in names))
    sys.stdout.flush()


def bench(a, kind, folder):
    base = os.path.join(folder, kind)
    tree, pristine = os.path.join(base, "tree"), os.path.join(base, "pristine")
    os.makedirs(base)
    generate(a, kind, tree)
    run(["cp", "-a", tree, pristine], sync=base)
    ours = Figures()
    size, stored = measure_ours(a, kind, base, tree, pristine, ours)
    peers = {}
    for name in a.peers:
        peers[name] = measure_peer(a, name, base, tree, pristine)
    show(kind, ours, size, stored, peers)
    remove(base)


def scale(a, folder, counts):
    """Cost against size: trees of so many files of a kilobyte, a hundred in each folder."""
    print("\n== cost against size\n%10s %14s %14s %14s %14s %12s" % ("files", "first, us/file", "nothing", "verify", "restore", "peak MiB"))
    for count in counts:
        base = os.path.join(folder, "scale-%d" % count)
        tree, figures = os.path.join(base, "tree"), Figures()
        for i in range(count):
            if i % 100 == 0:
                os.makedirs("%s/%03d/%05d" % (tree, i // 100000, i // 100))
            with open("%s/%03d/%05d/%d" % (tree, i // 100000, i // 100, i), "wb") as f:
                f.write(b"%d " % i * (1000 // (len(str(i)) + 1)))
        subprocess.run(["sync"], check=True)
        tool = Kedge(base, tree, "data", a.agent)
        tool.fresh()
        for operation in ("first", "nothing", "verify", "restore"):
            figures.add(operation, getattr(tool, operation)())
        print("%10d %14.1f %14.1f %14.1f %14.1f %12.1f" % (count, *(figures.median(o) * 1e6 / count for o in ("first", "nothing", "verify", "restore")),
                                                         figures.peak / (1 << 20)))
        sys.stdout.flush()
        remove(base)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--generator", required=True)
    p.add_argument("--root", required=True)
    p.add_argument("--build", default="build/release")
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--peer-rounds", type=int, default=1)
    p.add_argument("--peers", default="restic,borg,rsync,git,tar")
    p.add_argument("--dir", default=None, help="where the trees and repositories are made; default $TMPDIR")
    p.add_argument("--scale", default="", help="files, as 10000,100000,1000000: cost against size instead of the table")
    p.add_argument("kinds", nargs="*", default=[])
    a = p.parse_args()
    a.agent = os.path.join(a.root, a.build, "bin", "kedge-agent") if not os.path.isabs(a.build) else os.path.join(a.build, "bin", "kedge-agent")
    if not os.access(a.agent, os.X_OK):
        sys.exit("there is no %s: build it first (cmake --preset release), or say --build DIR" % a.agent)
    if os.geteuid() != 0:
        sys.exit("owners and device nodes are part of it: run it as root")
    a.peers = [n for n in a.peers.split(",") if n in PEERS and shutil.which("tar" if n == "tar" else n)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
    folder = tempfile.mkdtemp(prefix="kedge-recovery-", dir=a.dir)
    print("%d processors, load %s, %s, medians of %d (peers: %d); x: how many times as long or large as ours" % (
        os.cpu_count(), os.getloadavg()[0], " ".join(os.uname()[:3:2]), a.rounds, a.peer_rounds))
    try:
        if a.scale:
            scale(a, folder, [int(n) for n in a.scale.split(",")])
        else:
            for kind in a.kinds or ["config", "code", "data"]:
                bench(a, kind, folder)
    except Failed as e:
        sys.exit(str(e))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


main()
