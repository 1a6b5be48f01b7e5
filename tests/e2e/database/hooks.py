#!/usr/bin/python3
"""tests/e2e/database/hooks.py BIN: a database that is frozen by its hooks, copied by a keeper whose controller is declared and cannot be reached.

It is thawed after the copy; and thawed exactly once by its watchdog, without anybody else: when everything of the agent is killed as the copy
begins, also after the deadline has passed; and at the deadline, when the copy hangs, and not again when that is killed afterwards.
"""
import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import kinds  # noqa: E402
from kinds import BIN, check, until  # noqa: E402

DEADLINE = 3  # seconds
FREEZE = """#!/bin/sh
echo freeze >>%(d)s/told
touch %(d)s/frozen
[ ! -e %(d)s/hold ] || { echo $PPID >%(d)s/copier; kill -STOP $PPID; }
"""


class Frozen:
    """A service whose database is a folder, on a host whose controller is nowhere."""

    def __init__(self, folder):
        self.dir = d = pathlib.Path(folder)
        d.chmod(0o755)
        (d / "data").mkdir()
        (d / "data/table").write_text("good")
        (d / "freeze").write_text(FREEZE % {"d": d})
        (d / "thaw").write_text("#!/bin/sh\necho thaw >>%s/told\nrm -f %s/frozen\n" % (d, d))
        for name in ("freeze", "thaw"):
            (d / name).chmod(0o755)
        ca = [BIN / "kedge", "ca"]
        subprocess.run([*ca, "init", "--dir", d / "ca", "--domain", "e2e.kedge"], check=True, capture_output=True)
        (d / "state").mkdir(mode=0o700)
        subprocess.run([*ca, "issue", "host", "h1", "--dir", d / "ca", "--out", d / "state/identity"], check=True, capture_output=True)
        (d / "state/identity/authority.pem").write_bytes((d / "ca/authority.pem").read_bytes())
        (d / "agent.yaml").write_text(
            "host: h1\nuser: nobody\ndomain: e2e.kedge\ncontroller: { url: \"wss://127.0.0.1:1\", name: main }\nstate_directory: %s/state\n"
            "services:\n  svc:\n    components:\n      database: { exec: { data_directory: %s/data, freeze: [%s/freeze], thaw: [%s/thaw], deadline: %ds } }\n"
            "    snapshots: { every: 1h }\n" % (d, d, d, d, DEADLINE))
        self.log = open(d / "log", "w")
        self.process = subprocess.Popen([str(BIN / "kedge-agent"), "run", "--config", str(d / "agent.yaml")], stdout=self.log, stderr=self.log, cwd="/")

    def told(self):
        return (self.dir / "told").read_text().split() if (self.dir / "told").exists() else []

    def is_thawed(self):
        return not (self.dir / "frozen").exists() and not (self.dir / "state/prepare/svc.frozen").exists() and "thaw" in self.told()

    def points(self):
        return list((self.dir / "state/repository/snapshots").glob("*.manifest"))

    def copier(self):
        """Whose freeze program stopped it, when it has."""
        file = self.dir / "copier"
        pid = file.read_text().strip() if file.exists() else ""
        return int(pid) if pid and state_of(int(pid))[0] == "T" else None

    def agents(self):
        """All of its processes but the watchdog, which is alone in a session of its own."""
        found = [self.process.pid]
        for pid in found:
            found += [p for p in children(pid) if not (pid == self.copier() and state_of(p)[3] == str(p))]
        return found

    def kill(self):
        for pid in self.agents():
            with contextlib.suppress(ProcessLookupError):  # one that had just ended
                os.kill(pid, signal.SIGKILL)
        self.process.wait(20)

    def done(self):
        if self.process.poll() is None:
            self.kill()
        self.log.close()


def state_of(pid):
    """State, parent, group, session."""
    try:
        return pathlib.Path("/proc/%d/stat" % pid).read_text().rsplit(")", 1)[1].split()[:4]
    except OSError:
        return ["gone", "", "", ""]


def children(pid):
    return [int(p.name) for p in pathlib.Path("/proc").glob("[0-9]*") if state_of(int(p.name))[1] == str(pid)]


def after_the_copy(folder):
    f = Frozen(folder)
    try:
        until(lambda: f.points() and f.is_thawed(), "a copy by schedule, and thawed after it", 40)
        check("once", f.told() == ["freeze", "thaw"], f.told())
        until(lambda: "no connection to the controller" in (f.dir / "log").read_text(), "its controller could not be reached", 40)
    finally:
        f.done()


def held(folder):
    (pathlib.Path(folder) / "hold").touch()
    f = Frozen(folder)
    good = until(f.copier, "it is frozen, and the copy begins", 40)
    check("nobody has thawed it", good and "thaw" not in f.told() and not f.points(), f.told())
    return f


def killed(folder):
    f = held(folder)
    try:
        f.kill()
        until(f.is_thawed, "thawed by its watchdog when all of the agent was killed")
        time.sleep(DEADLINE + 1)  # whatever else would come at the deadline
        check("once, also when the deadline has passed", f.told() == ["freeze", "thaw"], f.told())
    finally:
        f.done()


def hangs(folder):
    f = held(folder)
    try:
        until(f.is_thawed, "thawed by its watchdog at the deadline, with a copy that hangs")
        check("which hangs still, and the keeper lives", f.copier() and f.process.poll() is None)
        f.kill()
        time.sleep(2)  # whatever a watchdog would still do
        check("once, also when that was killed", f.told() == ["freeze", "thaw"], f.told())
    finally:
        f.done()


def main():
    for name, test in (("after the copy", after_the_copy), ("killed", killed), ("hangs", hangs)):
        with tempfile.TemporaryDirectory(prefix="kedge-hooks-") as folder:
            print("-- " + name)
            test(folder)
    return 1 if kinds.failures else 0


sys.exit(main())
