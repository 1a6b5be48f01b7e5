#!/usr/bin/python3
"""tests/e2e/fleet.py BIN [AGENTS [RESTARTS]]: real agents, and a controller that is killed and begun again.

AGENTS agents (20) with certificates of their own watch one service each.  The controller is killed with SIGKILL RESTARTS times (2); each
time every agent must be back, with its sequence unbroken.  `fleet.py BIN 200 8` is the long form.
"""
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

from world import BIN, DOMAIN, World
AGENTS = int(sys.argv[2]) if len(sys.argv) > 2 else 20
RESTARTS = int(sys.argv[3]) if len(sys.argv) > 3 else 2


def make(w, n):
    """A host's identity, made offline, and its configuration."""
    name = "web-%d" % n
    home = w.dir / name
    home.mkdir()
    w.host(name, home / "state")
    (home / "note").write_text("good\n")
    (home / "agent.yaml").write_text(
        "host: %s\ndomain: %s\nstate_directory: %s/state\nuser: nobody\ncontroller: { url: \"wss://127.0.0.1:%d\", name: main }\n"
        "services:\n  notes-%d:\n    components: { config: { paths: [ %s/note ] } }\n"
        "    probes: [ { name: note, every: 30s, age: { path: %s/note, warn: 30d, critical: 60d } } ]\n"
        % (name, DOMAIN, home, w.agents, n, home, home))


def start(w, n):
    home = w.dir / ("web-%d" % n)
    with open(home / "log", "a") as log:
        return subprocess.Popen([BIN / "kedge-agent", "run", "--config", home / "agent.yaml"], stderr=log)


def hosts(w):
    try:
        return w.api("host?limit=1000")["items"]
    except OSError:
        return []


def connected(w):
    """Those that this run of the controller has welcomed: the store may remember others as connected."""
    log = (w.dir / "controller.log").read_bytes()[w.log_before:].decode()
    came = set(re.findall(r" host=(web-\d+) address=\S+ msg=\"connected\"", log))
    return sum(1 for h in hosts(w) if h["state"] == "connected" and h["name"] in came)


def wait_all(w, what, seconds):
    began = time.monotonic()
    w.wait(lambda: connected(w) == AGENTS, "%d agents %s" % (AGENTS, what), seconds)
    print("%3d of %d agents %s after %.1f s" % (AGENTS, AGENTS, what, time.monotonic() - began), flush=True)


def resident(agents):
    """Pages of all agents and their links, in MiB: proportional set size, because they share one program."""
    total = 0
    for a in agents:
        for pid in [a.pid] + [int(c) for c in open("/proc/%d/task/%d/children" % (a.pid, a.pid)).read().split()]:
            total += int(next(line for line in open("/proc/%d/smaps_rollup" % pid) if line.startswith("Pss:")).split()[1])
    return total / 1024


def main():
    if os.geteuid() != 0:
        print("skipped: needs root")
        sys.exit(77)
    with tempfile.TemporaryDirectory(prefix="kedge-fleet.", dir="/tmp") as folder:
        os.chmod(folder, 0o755)
        w = World(folder)
        text = (w.dir / "controller.yaml").read_text()
        w.stop()
        (w.dir / "controller.yaml").write_text(text.replace("heartbeat: 1s", "heartbeat: 10s") + "retry: 5s\n")
        w.log_before = 0
        w.start()
        agents = []
        try:
            with ThreadPoolExecutor(2) as pool:
                list(pool.map(lambda n: make(w, n), range(AGENTS)))
            agents = [start(w, n) for n in range(AGENTS)]
            wait_all(w, "connected", 240)
            for n in range(RESTARTS):
                w.process.kill()
                w.process.wait()
                w.log_before = (w.dir / "controller.log").stat().st_size
                w.start()
                wait_all(w, "back after kill %d" % (n + 1), 120)
            lost = [e for e in w.api("audit?limit=1000&order=desc")["items"] if e["action"] in ("host.reports_lost", "report.refused", "host.barred")]
            print("reports lost or refused: %d; agents' memory %.1f MiB each" % (len(lost), resident(agents) / AGENTS))
            if lost or w.api("audit/verify")["problem"] != "sound":
                sys.exit("FAILED: %s" % lost[:3])
        finally:
            for a in agents:
                a.send_signal(signal.SIGTERM)
            ends = [a.wait(120) for a in agents]
            if not w.stop() or any(ends):
                sys.exit("FAILED: not everybody stopped cleanly: %s" % ends)


main()
