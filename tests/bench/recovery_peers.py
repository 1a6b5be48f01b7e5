"""recovery_peers.py: what recovery.py measures: each tool in a folder of its own, one method an operation."""
import json
import os
import shutil
import subprocess
import tempfile
import time


from recovery_machine import Machine


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


machine = Machine()


class Tool:
    """One way to do it in a folder of its own; each method is one timed operation."""
    words = ""
    keeps = True  # more than one generation

    def __init__(self, base, trees):
        self.base, self.trees, self.out = base, trees, os.path.join(base, "out-%s" % self.__class__.__name__.lower())
        self.tree = next(iter(trees.values()))
        self.repo = os.path.join(base, "repo-%s" % self.__class__.__name__.lower())
        self.env = dict(os.environ, HOME=base, LC_ALL="C")
        self.restores = 0

    def fresh(self):
        machine.bury(self.repo)

    def place(self):
        """A place that was never there."""
        self.restores += 1
        return "%s-%d" % (self.out, self.restores)

    def forget_restored(self):
        """Not timed."""
        machine.bury("%s-%d" % (self.out, self.restores))
        subprocess.run(["sync"], check=True)

    def size(self):
        return size_of(self.repo)


class Kedge(Tool):
    words = "kedge"

    def __init__(self, base, trees, agent):
        super().__init__(base, trees)
        self.agent, self.config = agent, os.path.join(base, "agent.yaml")
        with open(self.config, "w") as f:
            f.write("host: bench\nstate_directory: %s\nservices:\n  bench:\n    components: { %s }\n" % (
                self.repo, ", ".join("%s: { paths: [%s] }" % each for each in trees.items())))

    def call(self, *words):
        return run([self.agent, *words, "--config", self.config], env=self.env)

    def fresh(self):
        super().fresh()
        self.call("repo", "init")

    def first(self):
        return self.call("snapshot", "create", "bench")
    nothing = changed = first

    def verify(self, sample=False):
        return self.call("snapshot", "verify", "bench", *(["--sample"] if sample else []))

    def restore(self):
        return self.call("restore", "last", "--into", self.place())

    def newest(self):
        return json.loads(self.call("snapshot", "list", "bench", "-o", "json")[3])[0]

    def rollback(self, point, component=None):
        return self.call("rollback", "start", "bench", "--to", point, "--no-prove", *(["--component", component] if component else []))

    def can_prepare(self):
        return "rollback prepare" in run([self.agent, "--help"], check=False)[3]

    def prepare(self, point):
        return self.call("rollback", "prepare", "bench", "--to", point)

    def forget_prepared(self):
        """What the exchange set aside is saved by a process that nobody waits for; this one waits."""
        return self.call("rollback", "prepare", "bench", "--drop")


class Restic(Tool):
    words = "restic"

    def __init__(self, base, trees):
        super().__init__(base, trees)
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
        """It fails at each symlink that is there already, and goes on."""
        return run(["restic", "restore", "-q", "latest", "--target", "/"], env=self.env, sync=self.base, check=False)


class Borg(Tool):
    words = "borg, lz4"

    def __init__(self, base, trees):
        super().__init__(base, trees)
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
    keeps = False

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
