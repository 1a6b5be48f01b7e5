#!/usr/bin/python3
"""tests/bench/center/brakes.py BIN [HOSTS [BAKE [HEARTBEAT]]]: how long a fleet takes to come back, and how soon a halt reaches it.

HOSTS real agents (50) with one service each of the same name, and one controller.  First the configuration of 20 of them is broken and rolled back, wave
after wave: under 60 s (RULES R18).  Then that of all; while they are rolled back, `kedge halt` and `kedge resume` take turns: from the call to
the moment at which each agent has it, at most 2 s in 99 of 100 (R19), and no order begins from then on until the release.  In the end all is
as it was.  A wave is proven by a look that the controller asks for when its BAKE (10s, the controller's own default; half of it for configuration) is over;
a host whose state stays the same reports by itself only every HEARTBEAT (30s, as well).  Needs root.
"""
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "e2e"))
from world import BIN, DOMAIN, Kedge, World, check, failures, run, when  # noqa: E402

HOSTS = int(sys.argv[2]) if len(sys.argv) > 2 else 50
BAKE = sys.argv[3] if len(sys.argv) > 3 else "10s"
HEARTBEAT = sys.argv[4] if len(sys.argv) > 4 else "30s"
FEW, FEW_S, HALT_S = 20, 60, 2
HALTS = 4  # one in each wave but the last, after which nothing is left to stop
FILES = 20
POLICY = """name: fleet
services: [ notes ]
components: [ config ]
least_severity: critical
least_confidence: 0.5
max_hosts: %d
max_per_hour: 60
cool_down: 1s
expires: %s
reason: measuring
"""
def name_of(n):
    return "web-%02d" % n


def make(w, n):
    name, home = name_of(n), w.dir / name_of(n)
    home.mkdir()
    w.host(name, home / "state")
    (home / "conf").mkdir()
    for i in range(FILES):
        (home / "conf" / ("part-%d" % i)).write_text("good %d\n" % i)
    (home / "agent.yaml").write_text(
        "host: %s\ndomain: %s\nstate_directory: %s/state\nuser: nobody\ncontroller: { url: \"wss://127.0.0.1:%d\", name: main }\napprovers: [ \"%s\" ]\ndrift_every: 1s\n"
        "services:\n  notes:\n    components: { config: { paths: [ %s/conf ] } }\n    snapshots: { every: 1h }\n    rollback: { automatic: [ config ], max_per_hour: 60 }\n"
        "    probes: [ { name: there, every: 1s, timeout: 900ms, rise: 1, fall: 3, age: { path: %s/conf/part-0, warn: 30d, critical: 60d } } ]\n"
        % (name, DOMAIN, home, w.agents, (w.dir / "approval.pub").read_text().strip(), home, home))


def set_up(w):
    text = (w.dir / "controller.yaml").read_text()
    w.stop()
    (w.dir / "controller.yaml").write_text(text.replace("heartbeat: 1s", "heartbeat: " + HEARTBEAT).replace("bake: 200ms", "bake: " + BAKE).replace("proof: 10s", "proof: 5m"))
    w.start()
    w.ssh_key("approval")
    w.api("operator/put", {"name": "founder", "roles": ["viewer", "responder", "approver", "admin"], "keys": [(w.dir / "approval.pub").read_text().strip()]})
    w.install_policy(w.dir / "approval", POLICY % (HOSTS, time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 86400))))
    w.founder = Kedge(w)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda n: make(w, n), range(HOSTS)))


def start(w, n):
    with open(w.dir / name_of(n) / "log", "a") as log:
        return subprocess.Popen([BIN / "kedge-agent", "run", "--config", w.dir / name_of(n) / "agent.yaml"], stderr=log)


def part(w, n):
    return w.dir / name_of(n) / "conf/part-7"


def rollback(w, count):
    """The first hosts are broken, seen to be so, and a rollback of them begins: its id."""
    hosts = [name_of(n) for n in range(count)]
    for n in range(count):
        part(w, n).write_text("broken\n")
    w.wait(lambda: sum(d["changed"] > 0 for d in w.api("drift?limit=1000")["items"]) >= count, "the drift", 60)
    return w.api("rollback/start", {"service": "notes", "hosts": hosts, "host_count": count, "components": ["config"], "text": "measuring"})["rollback"]["rollback"]


def state(w, rollback):
    return w.api("rollback/" + rollback)


def check_end(w, what, r, count):
    whole = sum(part(w, n).read_text() == "good 7\n" for n in range(count))
    check("%s: every host equals its restore point and is healthy" % what, r["outcome"] == "ok" and whole == count, "%s, %d whole: %s" % (r["outcome"], whole, r.get("text")))


def few_come_back(w):
    id = rollback(w, FEW)
    w.wait(lambda: state(w, id)["state"] == "ended", "the end of the rollback of a few", 200)
    r = state(w, id)
    took = when(r["ended"]) - when(r["began"])
    own = sorted(x["took_ms"] for x in w.api("restoration?limit=1000")["items"])
    print("%d hosts in %d waves: %.1f s (bake %s, heartbeat %s); a host's own part: median %d ms, most %d ms" % (FEW, r["waves"], took, BAKE, HEARTBEAT, own[len(own) // 2], own[-1]))
    check("R18: the configuration of %d hosts is back and proven in under %d s" % (FEW, FEW_S), took < FEW_S, "%.1f s" % took)
    check_end(w, "a few", r, FEW)


def heard(w, n, text, after):
    """When the agent said so, by its own log's clock; None: not yet."""
    for line in reversed((w.dir / name_of(n) / "log").read_text().splitlines()):
        if text in line:
            at = when(line.split()[0].split("=")[-1])
            return at if at >= after - 0.001 else None
    return None


def brake(w, verb, text):
    """Seconds from the call to each agent."""
    began = time.time()
    run(BIN / "kedge", "--config", w.founder.file, verb, "measuring")
    w.wait(lambda: all(heard(w, n, text, began) for n in range(HOSTS)), "everybody to hear of the " + verb, 30)
    return began, [heard(w, n, text, began) - began for n in range(HOSTS)]


def halts(w):
    id = rollback(w, HOSTS)
    delays, late = [], 0
    for k in range(HALTS):
        w.wait(lambda: state(w, id)["wave"] >= k, "wave %d" % (k + 1), 200)
        began, some = brake(w, "halt", "everything is halted")
        delays += some
        time.sleep(HALT_S + 1)
        late += sum(o["kind"] == "rollback" and when(o["asked"]) > began + HALT_S for o in w.api("order?limit=1000")["items"])
        if state(w, id)["wave"] != k:
            sys.exit("halt %d came too late to be one in its wave: a longer BAKE" % (k + 1))
        brake(w, "resume", "the halt is released")
    delays.sort()
    p99 = delays[-(len(delays) // 100 + 1)]
    print("%d halts of %d agents: median %.0f ms, 99 of 100 within %.0f ms, most %.0f ms" % (HALTS, HOSTS, 1000 * delays[len(delays) // 2], 1000 * p99, 1000 * delays[-1]))
    check("R19: a halt has reached 99 of 100 agents in %d s" % HALT_S, p99 <= HALT_S)
    check("R19: no order is asked for while all is halted", late == 0, late)
    w.wait(lambda: state(w, id)["state"] == "ended", "the end of the rollback of all", 300)
    check_end(w, "all", state(w, id), HOSTS)


def main():
    if os.geteuid() != 0:
        print("skipped: needs root")
        sys.exit(77)
    with tempfile.TemporaryDirectory(prefix="kedge-brakes.", dir="/tmp") as folder:
        os.chmod(folder, 0o755)
        w = World(folder)
        agents = []
        try:
            set_up(w)
            agents = [start(w, n) for n in range(HOSTS)]
            w.wait(lambda: sum(h["state"] == "HEALTHY" for h in w.api("health?limit=1000")["items"]) == HOSTS, "health", 180)
            w.wait(lambda: sum(not s.get("suspect") for s in w.api("snapshot?limit=1000")["items"]) >= HOSTS, "restore points", 180)
            few_come_back(w)
            halts(w)
        finally:
            for a in agents:
                a.send_signal(signal.SIGTERM)
            for a in agents:
                a.wait(120)
            w.stop()
    sys.exit(1 if failures else 0)


main()
