#!/usr/bin/python3
"""tests/e2e/database/mariadb.py BIN: a MariaDB server, copied while it is written to and brought back, by files and by a dump.

The server is Debian's, started privately: its own folder, a socket, no network.  Copied under a writer; what did not change costs nothing;
put back and back again; elsewhere; practised (also killed while it is); a credential that others may read is not used and a password shows
nowhere; a server of another folder is refused.
"""
import fcntl
import json
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import kinds  # noqa: E402
from kinds import check, until  # noqa: E402

PASSWORD = "correct-horse-7"
PROGRAMS = ("mariadbd", "mariadb", "mariadb-backup", "mariadb-dump", "mariadb-install-db")


def missing():
    return [p for p in PROGRAMS if not shutil.which(p, path=os.environ["PATH"] + ":/usr/sbin")]


def in_memory():
    """A folder there, or None: a server syncs much, and what is tested here is not the disk."""
    memory = os.statvfs("/dev/shm") if os.path.isdir("/dev/shm") else None
    return "/dev/shm" if memory and memory.f_bavail * memory.f_frsize > 1 << 29 else None


class Server:
    """As the user mysql when we are root, else as ourselves."""

    def __init__(self, folder):
        self.dir = pathlib.Path(folder)
        self.user = pwd.getpwnam("mysql") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
        self.sock, self.data = self.dir / "run/s", self.dir / "data"
        for p in (self.dir / "run", self.data):
            p.mkdir(mode=0o755)
            os.chown(p, self.user.pw_uid, self.user.pw_gid)
        become = "setpriv --reuid %d --regid %d --clear-groups " % (self.user.pw_uid, self.user.pw_gid) if os.geteuid() == 0 else ""
        self.become = become.split()
        (self.dir / "ctl").write_text(
            "#!/bin/sh\nPATH=/usr/sbin:/usr/bin:/bin\ncase $1 in\n"
            "start) %smariadbd --no-defaults --datadir=%s --socket=%s --pid-file=%s/run/pid --skip-networking --log-error=%s/run/error.log "
            "--innodb-buffer-pool-size=16M --innodb-log-file-size=8M --performance-schema=OFF --innodb-flush-log-at-trx-commit=0 </dev/null >/dev/null 2>&1 &\n"
            "for i in $(seq 400); do mariadb-admin --no-defaults -S %s ping >/dev/null 2>&1 && exit 0; sleep 0.05; done; exit 1 ;;\n"
            "stop) [ -s %s/run/pid ] || exit 0; read -r p <%s/run/pid; kill $p; for i in $(seq 400); do kill -0 $p 2>/dev/null || exit 0; sleep 0.05; done; exit 1 ;;\n"
            "esac\n" % (become, self.data, self.sock, self.dir, self.dir, self.sock, self.dir, self.dir))
        (self.dir / "ctl").chmod(0o755)

    def install(self):
        subprocess.run([*self.become, "mariadb-install-db", "--no-defaults", "--datadir=%s" % self.data, "--skip-test-db", "--innodb-log-file-size=8M",
                        "--auth-root-socket-user=%s" % self.user.pw_name],
                       check=True, capture_output=True, timeout=120)
        self.control("start")
        self.fill("CREATE USER kedge@localhost IDENTIFIED BY '%s'; GRANT ALL ON *.* TO kedge@localhost; " % PASSWORD)

    def fill(self, before=""):
        said = self.sql(before + "CREATE OR REPLACE DATABASE shop; USE shop; CREATE TABLE pairs (a INT PRIMARY KEY, b INT, filler CHAR(200)); "
                        "INSERT INTO pairs SELECT seq, seq, md5(seq) FROM seq_1_to_40000; CREATE PROCEDURE twice(IN x INT) SELECT 2 * x; "
                        "CREATE TABLE notes (t TEXT) ENGINE=Aria; INSERT INTO notes VALUES ('good')")
        if said:
            sys.exit("FAILED: the database could not be made: " + said)

    def control(self, word):
        subprocess.run([self.dir / "ctl", word], check=True, timeout=60)

    def sql(self, text):
        done = subprocess.run([*self.become, "mariadb", "--no-defaults", "-S", str(self.sock), "-N", "-B"], input=text, capture_output=True, text=True, timeout=60)
        return done.stdout.strip() if done.returncode == 0 else "failed: " + done.stderr.strip()

    def state(self):
        return self.sql("SELECT count(*), sum(a <> b), max(a) FROM shop.pairs; SELECT t FROM shop.notes; CALL shop.twice(21)")


def host(folder, server, more=""):
    text = "{ mariadb: { data_directory: %s, socket: %s, credentials_file: %s/credentials%s } }" % (server.data, server.sock, folder, more)
    h = kinds.Host(folder, text, "    steps: { stop: [%s/ctl, stop], start: [%s/ctl, start], timeout: 1m }\n" % (folder, folder))
    c = pathlib.Path(folder) / "credentials"
    c.write_text("[client]\nuser=kedge\npassword=%s\n" % PASSWORD)
    os.chown(c, server.user.pw_uid, server.user.pw_gid)
    c.chmod(0o600)
    return h


def newest(h):
    return json.loads(h.ends(0, "snapshot", "list", "-o", "json"))[0]


# ---- the scenarios ----

def there_and_back(h, s):
    h.ends(0, "snapshot", "create", "svc")
    first = newest(h)
    good = s.state()
    check("the version is noted", any(v["name"] == "mariadb" and v["value"].startswith("1") for v in first["versions"]), first["versions"])
    s.sql("UPDATE shop.pairs SET filler = 'x' WHERE a = 17")
    h.ends(0, "snapshot", "create", "svc")
    check("what did not change costs nothing", newest(h)["stored_bytes"] < 1 << 20, newest(h))
    s.sql("DELETE FROM shop.pairs WHERE a > 100; UPDATE shop.notes SET t = 'bad'; DROP PROCEDURE shop.twice")
    bad = s.state()
    h.ends(0, "rollback", "start", "svc", "--to", first["snapshot"])
    check("put back", s.state() == good, (s.state(), good, (s.dir / "run/error.log").read_text()[-800:]))
    check("nothing is left beside", not [x for x in os.listdir(s.dir) if ".kedge-" in x], os.listdir(s.dir))
    h.ends(0, "rollback", "start", "svc", "--to", h.safety())
    check("and back again", s.state() == bad, (s.state(), bad))
    s.fill()


def under_a_writer(h, s):
    """Each transaction keeps a and b alike; a copy that tore one apart would not."""
    stop = s.dir / "stop"
    loop = ("import subprocess,sys,os\np=subprocess.Popen(%r,stdin=subprocess.PIPE,text=True)\nn=0\nwhile not os.path.exists(%r):\n  n+=1\n"
            "  p.stdin.write('BEGIN; UPDATE shop.pairs SET a = a + 100000 WHERE a = %%d; UPDATE shop.pairs SET b = a WHERE b = %%d; COMMIT;\\n' %% (n, n)); p.stdin.flush()\n"
            "p.kill(); p.wait()\n" % ([*s.become, "mariadb", "--no-defaults", "-S", str(s.sock)], str(stop)))
    w = subprocess.Popen([sys.executable, "-c", loop])
    until(lambda: int(s.sql("SELECT max(a) FROM shop.pairs") or 0) > 100000, "it is written to")
    h.ends(0, "snapshot", "create", "svc")
    stop.touch()
    w.wait(60)
    after = s.state()
    log = s.dir / "run/error.log"
    log.write_text("")
    h.ends(0, "rollback", "start", "svc", "--to", newest(h)["snapshot"])
    count, torn, most = s.sql("SELECT count(*), sum(a <> b), max(a) FROM shop.pairs").split("\t")
    check("a copy under a writer is whole", count == "40000" and torn == "0" and 100000 < int(most) <= int(after.split()[2]), (count, torn, most, after))
    said = log.read_text()
    check("and needs no recovery", "ready for connections" in said and "recovery" not in said, said)


def practised(h, s):
    s.control("stop")
    h.ends(0, "snapshot", "drill", "svc", says="")
    s.control("start")
    check("the server that works was not touched", s.state().split("\t")[1] == "0", s.state())
    yaml = (h.dir / "agent.yaml").read_text()
    (h.dir / "agent.yaml").write_text(yaml.replace("prove: [", "prove: [\"SELECT count(*) = 7 FROM shop.pairs\", "))
    h.ends(1, "snapshot", "drill", "svc", says="count(*) = 7")
    (h.dir / "agent.yaml").write_text(yaml.replace("prove: [", "prove: [\"SELECT sleep(60) = 0\", "))
    others = set(pathlib.Path("/tmp").glob("kedge-private-*"))
    p = h.start("snapshot", "drill", "svc")
    boxes = []

    def runs():
        boxes[:] = [d for d in pathlib.Path("/proc").glob("[0-9]*") if b"mariadbd" in reading(d / "cmdline") and str(h.dir / "state").encode() in reading(d / "cmdline")]
        return boxes
    until(runs, "a server runs in the drill")
    words = reading(boxes[0] / "cmdline")
    check("it has no network and no accounts", b"--skip-networking" in words and b"--skip-grant-tables" in words, words)
    p.send_signal(signal.SIGKILL)
    p.wait()
    until(lambda: not runs(), "the server of a drill that was killed is gone")
    until(lambda: set(pathlib.Path("/tmp").glob("kedge-private-*")) <= others, "and nothing of it is left in /tmp")
    until(lambda: is_free(h.dir / "state/drill/svc.lock"), "and who cleaned up after it has ended, too")
    (h.dir / "agent.yaml").write_text(yaml)
    h.ends(0, "snapshot", "drill", "svc")
    until(lambda: set(pathlib.Path("/tmp").glob("kedge-private-*")) <= others, "nor of one that went well")


def is_free(lock):
    with open(lock, "r+b") as f:
        try:
            fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except OSError:
            return False


def reading(path):
    try:
        return path.read_bytes()
    except OSError:
        return b""


def secrets(h, s):
    c = h.dir / "credentials"
    c.chmod(0o604)
    h.ends(3, "snapshot", "create", "svc", says="may be read by others")
    c.chmod(0o600)
    shown = []
    p = h.start("snapshot", "create", "svc")
    while p.poll() is None:
        for d in pathlib.Path("/proc").glob("[0-9]*"):
            words = reading(d / "cmdline")
            if words.startswith(b"mariadb"):
                shown.append(words + reading(d / "environ"))
        time.sleep(0.005)
    said = p.communicate()[0]
    check("a password is in no argument, environment or message", p.returncode == 0 and shown and not any(PASSWORD.encode() in x for x in shown) and PASSWORD not in said, said)
    c.write_text("[client]\nuser=kedge\npassword=wrong\n")
    h.ends(5, "snapshot", "create", "svc", says="Access denied")
    c.write_text("[client]\nuser=kedge\npassword=%s\n" % PASSWORD)


def elsewhere(h, s):
    into = h.dir / "look"
    h.ends(0, "restore", "last", "--into", into)
    check("restored elsewhere", (into / "mariadb/ibdata1").exists() and (into / "mariadb/shop/pairs.ibd").exists(),
          [str(p) for p in into.rglob("*")][:20])


def wrong_server(h, s):
    yaml = (h.dir / "agent.yaml").read_text()
    (h.dir / "other").mkdir()
    os.chown(h.dir / "other", s.user.pw_uid, s.user.pw_gid)
    (h.dir / "agent.yaml").write_text(yaml.replace("data_directory: %s," % s.data, "data_directory: %s/other," % h.dir))
    h.ends(1, "snapshot", "create", "svc", says="does not work in")
    (h.dir / "agent.yaml").write_text(yaml)
    h.ends(0, "snapshot", "create", "svc")


def by_a_dump(folder, s):
    shutil.rmtree(folder / "state", ignore_errors=True)
    h = host(folder, s, ", method: dump, prove: [\"SELECT count(*) >= 100 FROM shop.pairs\"]")
    h.ends(0, "snapshot", "create", "svc")
    good = s.state()
    first = newest(h)
    h.ends(0, "snapshot", "drill", "svc")
    s.sql("UPDATE shop.pairs SET filler = 'y' WHERE a = 18")
    h.ends(0, "snapshot", "create", "svc")
    check("a dump: what did not change costs nothing", newest(h)["stored_bytes"] < 1 << 20, newest(h))
    s.sql("DROP TABLE shop.pairs; DROP PROCEDURE shop.twice")
    h.ends(0, "rollback", "start", "svc", "--to", first["snapshot"])
    check("a dump: put back", s.state() == good, (s.state(), good))
    check("a dump: accounts too", "kedge" in s.sql("SELECT user FROM mysql.global_priv WHERE user = 'kedge'"))
    h.ends(0, "snapshot", "create", "svc")


def main():
    if missing():
        print("skipped: %s: not installed (packages mariadb-server, mariadb-backup)" % ", ".join(missing()))
        return 77
    with tempfile.TemporaryDirectory(prefix="kedge-mariadb-", dir=in_memory()) as folder:
        folder = pathlib.Path(folder)
        folder.chmod(0o711)
        s = Server(folder)
        try:
            s.install()
            h = host(folder, s, ", prove: [\"SELECT count(*) >= 100 FROM shop.pairs\"]")
            for step in (there_and_back, under_a_writer, elsewhere, practised, secrets, wrong_server):
                print("-- %s (%.1f s)" % (step.__name__, time.monotonic() - began))
                step(h, s)
            print("-- by_a_dump (%.1f s)" % (time.monotonic() - began))
            by_a_dump(folder, s)
            print("-- done (%.1f s)" % (time.monotonic() - began))
        finally:
            s.control("stop")
    return 1 if kinds.failures else 0


began = time.monotonic()
if __name__ == "__main__":
    sys.exit(main())
