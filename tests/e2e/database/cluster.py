"""tests/e2e/database/cluster.py: a real PostgreSQL cluster with its log archived by kedge-agent, for the tests beside it."""
import contextlib
import datetime
import json
import os
import pathlib
import pwd
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from judge import BIN, check, failures  # noqa: E402

DONE, FAILED, USAGE, REFUSED, NOT_FOUND = 0, 1, 2, 3, 4


class Cluster:
    port = 5997

    def __init__(self, folder, more="", mount=False, disk=None, durable=False):
        """mount: the data directory is a mount point.  disk: the size of a file system of its own that it lies on; durable: that is there already,
        and holds the agent's state, too; pages have checksums, and what is committed is synced."""
        self.dir = pathlib.Path(folder)
        self.data = self.dir / ("disk/data" if disk or durable else "data")
        self.state = self.dir / ("disk/state" if durable else "state")
        self.dir.chmod(0o711)
        self.bin = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"))[-1]
        self.become = ["unshare", "--user", "--map-user=%d" % pwd.getpwnam("postgres").pw_uid, "--"]
        (self.dir / "run").mkdir()
        ctl = self.dir / "ctl"
        ctl.write_text("""#!/bin/sh
PATH=%(bin)s:$PATH
pg() { %(become)s "$@"; }
case $1 in
start) [ ! -e %(dir)s/fail ] || exit 1; pg pg_ctl -D %(data)s -s status >/dev/null 2>&1 || pg pg_ctl -D %(data)s -s -w -t 60 -l %(dir)s/log start ;;
stop) pg pg_ctl -D %(data)s status >/dev/null 2>&1 || exit 0; pg pg_ctl -D %(data)s -s -w -t 60 -m fast stop ;;
esac
""" % {"bin": self.bin, "become": " ".join(self.become), "dir": self.dir, "data": self.data})
        ctl.chmod(0o755)
        (self.dir / "agent.yaml").write_text("""host: h1
state_directory: %(state)s
%(more)sservices:
  db:
    components:
      database:
        postgres: { data_directory: %(data)s, bin_directory: %(bin)s, socket_directory: %(dir)s/run, port: %(port)d, user: kedge,
          wal_archive: true, run_as: [%(become)s] }
    steps: { stop: [%(dir)s/ctl, stop], start: [%(dir)s/ctl, start], timeout: 90s }
    probes:
      - { name: answers, tier: shallow, exec: [%(bin)s/psql, -X, -q, -h, %(dir)s/run, -p, "%(port)d", -U, kedge, -d, postgres, -c, SELECT 1] }
""" % {"bin": self.bin, "become": ", ".join(self.become), "dir": self.dir, "port": self.port, "more": more, "data": self.data, "state": self.state})
        if mount:
            self.data.mkdir()
            self.run("mount", "-t", "tmpfs", "-o", "size=512m,mode=0700", "kedge-test", self.data)
        if disk:
            (self.dir / "disk").mkdir()
            self.run("mount", "-t", "tmpfs", "-o", "size=%s,mode=0755" % disk, "kedge-test", self.dir / "disk")
        self.run(*self.become, self.bin / "initdb", "-D", self.data, "-U", "kedge", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C", "--wal-segsize=1",
                 *(["--data-checksums"] if durable else []))
        with open(self.data / "postgresql.conf", "a") as f:
            f.write("""
listen_addresses = ''
unix_socket_directories = '%(dir)s/run'
port = %(port)d
shared_buffers = 8MB
max_connections = 10
fsync = %(fsync)s
autovacuum = off
archive_mode = on
archive_command = '%(agent)s wal push %%p %%f --config %(dir)s/agent.yaml'
""" % {"dir": self.dir, "port": self.port, "agent": BIN / "kedge-agent", "fsync": "on" if durable else "off"})
        self.run(ctl, "start")
        self.sql("CREATE TABLE log (n int PRIMARY KEY)")

    def run(self, *argv):
        done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, timeout=120)
        if done.returncode != 0:
            sys.exit("%s failed: %s%s\n%s" % (argv, done.stdout, done.stderr, self.tail()))
        return done.stdout

    def sql(self, statement):
        return self.run(self.bin / "psql", "-X", "-q", "-A", "-t", "-h", self.dir / "run", "-p", self.port, "-U", "kedge", "-d", "postgres", "-c", statement).strip()

    def agent(self, *words):
        return subprocess.run([str(BIN / "kedge-agent"), *map(str, words), "--config", str(self.dir / "agent.yaml")], capture_output=True, text=True, timeout=120)

    def ends(self, code, *words, says=""):
        done = self.agent(*words)
        text = done.stdout + done.stderr
        check("kedge-agent %s: exit %d" % (" ".join(map(str, words)), code), done.returncode == code and says in text,
              "exit %d: %s\n%s" % (done.returncode, text, self.tail()))
        return done

    def tail(self):
        return "" if not (self.dir / "log").exists() else "\n".join((self.dir / "log").read_text().splitlines()[-12:])

    def put(self, n):
        self.sql("INSERT INTO log VALUES (%d)" % n)

    def rows(self):
        return self.sql("SELECT string_agg(n::text, ',' ORDER BY n) FROM log")

    def now(self):
        """A moment between two transactions."""
        time.sleep(0.02)
        at = datetime.datetime.now(datetime.timezone.utc)
        time.sleep(0.02)
        return at.strftime("%Y-%m-%dT%H:%M:%S.") + "%03dZ" % (at.microsecond // 1000)

    def pid(self):
        return (self.data / "postmaster.pid").read_text().split()[0]

    def timeline(self):
        return int(self.sql("SELECT timeline_id FROM pg_control_checkpoint()"))

    def status(self):
        done = self.agent("wal", "status", "-o", "json")
        if not done.stdout:
            sys.exit("wal status says nothing: %s\n%s" % (done.stderr, self.tail()))
        return done.returncode, json.loads(done.stdout)[0]

    def guarded(self):
        """It stands between two states of an exchange."""
        return (self.data / ".kedge-version").exists() and not (self.data / "PG_VERSION").exists()

    def by_hand(self):
        """Somebody starts the server, whatever the agent was at: does it start?  What it runs on is stopped again as systemd would leave it."""
        return subprocess.run([str(self.dir / "ctl"), "start"], capture_output=True, timeout=120).returncode == 0

    def newest(self):
        """The restore point that was taken last."""
        return [line for line in self.agent("snapshot", "list", "db", "-o", "json").stdout.split('"') if line.startswith("snap-")][0]

    def recover(self, target, inject=None):
        """A rollback to a restore point, at whose system call something happens (strace's words: "CALL:signal=KILL:when=3")."""
        traced = ["strace", "-qq", "-o", "/dev/null", "-e", "trace=" + inject.split(":")[0], "-e", "inject=" + inject] if inject else []
        return subprocess.run([*traced, *self.recovery(target)], capture_output=True, text=True, timeout=120)

    def recovery(self, target):
        return [str(a) for a in (BIN / "kedge-agent", "rollback", "start", "db", "--to", target, "-o", "json", "--config", self.dir / "agent.yaml")]

    def killed_after(self, target, seconds):
        """The same, killed then; what it ended with, if it was quicker."""
        run = subprocess.Popen(self.recovery(target), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            run.wait(seconds)
        except subprocess.TimeoutExpired:
            run.kill()
        return run.wait()

    def unfinished(self):
        """How far the rollback is that has not ended; None: there is none."""
        for path in (self.state / "rollback").glob("ord-*.json"):
            journal = json.loads(path.read_text())
            if journal["phase"] != "ended":
                return journal.get("database_state", "as-it-was")
        return None

    def settled(self):
        """The archive as it is once the server has handed over what it has."""
        self.sql("CHECKPOINT; SELECT pg_switch_wal()")
        until = time.monotonic() + 20
        while time.monotonic() < until:
            code, status = self.status()
            if not status["waiting"]:
                return code, status
            time.sleep(0.05)
        check("the archive takes what the server hands over", False, self.tail())
        return code, status


def prove(c, *queries, database="postgres"):
    text = (c.dir / "agent.yaml").read_text()
    kept = text
    (c.dir / "agent.yaml").write_text(text.replace("wal_archive: true", "wal_archive: true, prove_database: %s, prove: [%s]" % (database, ", ".join('"%s"' % q for q in queries))))
    done = c.agent("snapshot", "drill", "db", "-o", "json")
    (c.dir / "agent.yaml").write_text(kept)
    return done, json.loads(done.stdout) if done.stdout else {}


def processes():
    for p in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            yield (p / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue


def numbers(text):
    """Of `all`, or FROM-TO."""
    first, _, last = text.partition("-")
    return range(1, 200) if first == "all" else range(int(first), int(last) + 1)


def kills(some):
    """The numbers to kill at: what the command line says, else some."""
    return numbers(sys.argv[2]) if len(sys.argv) > 2 else some


def can_mount(folder):
    probe = pathlib.Path(folder) / "probe"
    probe.mkdir()
    can = subprocess.run(["mount", "-t", "tmpfs", "kedge-test", probe], capture_output=True).returncode == 0
    if can:
        subprocess.run(["umount", probe], check=True)
    probe.rmdir()
    return can


def missing():
    """Why this cannot be run here; None: it can."""
    if os.geteuid() != 0 or not list(pathlib.Path("/usr/lib/postgresql").glob("*/bin/postgres")):
        return "PostgreSQL is not installed, or this is not root"
    if subprocess.run(["unshare", "--user", "--map-user=1", "--", "true"], capture_output=True).returncode != 0:
        return "no user namespaces here"
    return None


def was_killed(done):
    return done.returncode in (-9, 137)


@contextlib.contextmanager
def stopping(c):
    try:
        yield c
    finally:
        subprocess.run([str(c.dir / "ctl"), "stop"], capture_output=True)


def main(name, walk, mounts=None, **options):
    """walk(cluster) in a folder of its own, and the exit code.  mounts: what the cluster's options make a mount point, in that folder."""
    why = missing()
    if why:
        print("skipped: " + why)
        return 77
    with tempfile.TemporaryDirectory(prefix="kedge-%s-" % name) as folder:
        if mounts and not can_mount(folder):
            print("skipped: nothing can be mounted here")
            return 77
        try:
            with stopping(Cluster(folder, **options)) as c:
                walk(c)
        finally:
            if mounts:
                subprocess.run(["umount", "-l", pathlib.Path(folder) / mounts], capture_output=True)
    return 1 if failures else 0
