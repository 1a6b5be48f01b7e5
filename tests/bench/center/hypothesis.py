#!/usr/bin/python3
"""tests/bench/center/hypothesis.py BIN [HOSTS [LINES [FAULTS]]]: how soon is a cause named, while everybody writes logs?

HOSTS real agents (50), each with a service of its own whose log grows by LINES lines a second (1,000), and one controller.  FAULTS of the
hosts (8) fail, one after the other: a file is removed, and lines that were never there before begin.  Told: from the fault to the incident,
to the first hypothesis that names a cause, to the last answer within 30 s; what the controller and the agents used meanwhile.  Needs root.
"""
import os
import pathlib
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "e2e"))
from world import BIN, DOMAIN, World  # noqa: E402

HOSTS, LINES, FAULTS = [int(a) for a in sys.argv[2:5]] + [50, 1000, 8][len(sys.argv[2:5]):]
TICKS = 5  # times a second that a log grows
TEMPLATES = ["INFO request %d served in %d ms", "INFO session %d opened for worker %d", "DEBUG cache miss for key %d of shard %d", "INFO job %d done, %d rows",
             "WARN retry %d of request %d", "INFO heartbeat %d from node %d", "INFO queue holds %d messages, oldest %d s", "ERROR client %d closed the connection after %d bytes"]
FAULT = "ERROR cannot read the note: No such file or directory (request %d of %d)\n"


def make(w, n):
    name, home = "web-%d" % n, w.dir / ("web-%d" % n)
    home.mkdir()
    w.host(name, home / "state")
    (home / "conf").mkdir()
    (home / "conf/note").write_text("good\n")
    (home / "app.log").touch()
    (home / "agent.yaml").write_text(
        "host: %s\ndomain: %s\nstate_directory: %s/state\nuser: nobody\ncontroller: { url: \"wss://127.0.0.1:%d\", name: main }\ndrift_every: 2s\n"
        "services:\n  notes-%d:\n    components: { config: { paths: [ %s/conf ] } }\n    logs: [ %s/app.log ]\n    snapshots: { every: 1h }\n"
        "    probes: [ { name: note, every: 1s, timeout: 900ms, rise: 1, fall: 2, age: { path: %s/conf/note, warn: 30d, critical: 60d } } ]\n"
        % (name, DOMAIN, home, w.agents, n, home, home, home))


class Writers(threading.Thread):
    """All logs, each LINES lines a second, in TICKS pieces that were made beforehand."""

    def __init__(self, w):
        super().__init__(daemon=True)
        rng = random.Random(7)
        stamp = "2026-11-23T10:00:00.000Z "
        self.pieces = ["".join(stamp + rng.choice(TEMPLATES) % (rng.randrange(10 ** 6), rng.randrange(10 ** 4)) + "\n" for _ in range(LINES // TICKS)).encode() for _ in range(16)]
        self.logs = [open(w.dir / ("web-%d" % n) / "app.log", "ab", buffering=0) for n in range(HOSTS)]
        self.failing, self.ending, self.late, self.written = set(), threading.Event(), 0.0, 0

    def run(self):
        due, tick = time.monotonic(), 0
        while not self.ending.is_set():
            for n, log in enumerate(self.logs):
                piece = self.pieces[(tick + n) % len(self.pieces)]
                log.write(piece + ((FAULT % (tick, n)).encode() if n in self.failing else b""))
                self.written += LINES // TICKS
            tick, due = tick + 1, due + 1 / TICKS
            self.late = max(self.late, time.monotonic() - due)
            time.sleep(max(0, due - time.monotonic()))


def spent(pid):
    """Seconds of processor, and the largest resident set so far in MiB."""
    fields = open("/proc/%d/stat" % pid).read().rsplit(")", 1)[1].split()
    peak = next((line.split()[1] for line in open("/proc/%d/status" % pid) if line.startswith("VmHWM:")), 0)  # none: it has just ended
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), int(peak) / 1024


def spent_by_agents(agents):
    total = 0
    for a in agents:
        for pid in [a.pid] + [int(c) for c in open("/proc/%d/task/%d/children" % (a.pid, a.pid)).read().split()]:
            try:
                total += spent(pid)[0]
            except OSError:
                pass  # a worker that has ended
    return total


def fault(w, writers, n):
    at = time.time() * 1000
    writers.failing.add(n)
    (w.dir / ("web-%d" % n) / "conf/note").unlink()
    return at


def answers(w, begun):
    """For each fault: seconds to its incident, to the first diagnosis that names the removed file's component, to the last one in 30 s."""
    incidents = {i["service"]: i for i in w.api("incident?limit=1000")["items"]}
    diagnoses = sorted(w.api("diagnosis?limit=1000")["items"], key=lambda d: d["at"])
    rows = []
    for n, at in sorted(begun.items()):
        i = incidents.get("notes-%d" % n)
        mine = [d for d in diagnoses if i and d["incident"] == i["incident"]]
        named = [d for d in mine if not d.get("abstained") and d["suspects"][0].get("component") == "config" and d["suspects"][0].get("has_component")]
        rows.append((n, seconds(i and i["opened"], at), seconds(named and named[0]["at"], at), seconds(mine and mine[-1]["at"], at), mine[-1]["confidence"] if mine else 0,
                     bool(mine) and mine[-1] in named))
    return rows


def seconds(stamp, at):
    if not stamp:
        return float("inf")
    from datetime import datetime
    return datetime.fromisoformat(stamp.replace("Z", "+00:00")).timestamp() - at / 1000 if isinstance(stamp, str) else (stamp - at) / 1000


def measure(w, agents, writers):
    cpu, agents_cpu, lines, began = spent(w.process.pid)[0], spent_by_agents(agents), writers.written, time.monotonic()
    begun = {}
    for k in range(FAULTS):
        begun[k * HOSTS // FAULTS] = fault(w, writers, k * HOSTS // FAULTS)
        time.sleep(1.5)
    time.sleep(30)
    took = time.monotonic() - began
    used, peak = spent(w.process.pid)
    rows = answers(w, begun)
    print("%d hosts, %.0f lines a second each (the writer was %.2f s late at most), for %.0f s" % (HOSTS, (writers.written - lines) / took / HOSTS, writers.late, took))
    for name, column in (("fault to incident", 1), ("to the first hypothesis", 2), ("to the last answer", 3)):
        values = [r[column] for r in rows]
        print("  %-26s median %5.2f s   most %5.2f s" % (name, statistics.median(values), max(values)))
    print("  right in the end           %d of %d" % (sum(r[5] for r in rows), len(rows)))
    print("  controller                 %.1f %% of a core, at most %.0f MiB;  an agent %.2f %% of a core" %
          (100 * (used - cpu) / took, peak, 100 * (spent_by_agents(agents) - agents_cpu) / took / HOSTS))
    return max(r[2] for r in rows) <= 3 and max(r[3] for r in rows) <= 30 and all(r[5] for r in rows)


def main():
    if os.geteuid() != 0:
        print("skipped: needs root")
        sys.exit(77)
    with tempfile.TemporaryDirectory(prefix="kedge-hypothesis.", dir="/tmp") as folder:
        os.chmod(folder, 0o755)
        w = World(folder)
        agents, good = [], False
        try:
            with ThreadPoolExecutor(2) as pool:
                list(pool.map(lambda n: make(w, n), range(HOSTS)))
            for n in range(HOSTS):
                with open(w.dir / ("web-%d" % n) / "log", "a") as log:
                    agents.append(subprocess.Popen([BIN / "kedge-agent", "run", "--config", w.dir / ("web-%d" % n) / "agent.yaml"], stderr=log))
            w.wait(lambda: sum(h["state"] == "HEALTHY" for h in w.api("health?limit=1000")["items"]) == HOSTS, "health", 120)
            w.wait(lambda: len(w.api("snapshot?limit=1000")["items"]) >= HOSTS, "restore points", 120)
            writers = Writers(w)
            writers.start()
            time.sleep(8)
            good = measure(w, agents, writers)
            writers.ending.set()
            writers.join()
        finally:
            for a in agents:
                a.send_signal(signal.SIGTERM)
            for a in agents:
                a.wait(120)
            w.stop()
    print("first hypothesis within 3 s and last answer within 30 s: %s" % ("yes" if good else "NO"))
    sys.exit(0 if good else 1)


main()
