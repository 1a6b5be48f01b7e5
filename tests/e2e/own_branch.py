#!/usr/bin/python3
"""tests/e2e/own_branch.py BIN [TIMES [SEED]]: a rollback that cuts its host off from the controller takes itself back (RULES R11).

The service's start step takes the loopback interface down or up, as its configuration says, in a network namespace of its own: controller and
agent reach each other over nothing else.  Restored to the configuration that says down, the host must come back by itself, in the state before, and
the order must end reverted; restored to one that leaves the way open, it is confirmed and stays.  TIMES (20 is what RULES R11 asks for): so often, at moments that the seed chooses; each time the
host must be back by itself within its confirm_within and what undoing takes, 30 s at most.  Exit 77: skipped.
"""
import os
import random
import subprocess
import sys
import tempfile
import time

if os.environ.get("KEDGE_UNSHARED") != "1":
    if os.geteuid() != 0 or subprocess.run(["unshare", "-n", "true"], capture_output=True).returncode != 0:
        print("skipped: needs root and a network namespace of its own")
        sys.exit(77)
    os.execvpe("unshare", ["unshare", "-n", sys.executable] + sys.argv, dict(os.environ, KEDGE_UNSHARED="1"))

from world import BIN, DOMAIN, Kedge, World, check, failures, run

PATIENCE = 5  # seconds
UNDOING = 30  # seconds: of RULES R11's 150 with the longest confirm_within, 120
TIMES = int(sys.argv[2]) if len(sys.argv) > 2 else 1
SEED = int(sys.argv[3]) if len(sys.argv) > 3 else 1
LOOPBACK = """import fcntl, socket, struct, sys
up = "down" not in open(sys.argv[1]).read()
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
    flags = struct.unpack("16sh", fcntl.ioctl(s, 0x8913, struct.pack("16sh", b"lo", 0)))[1]
    fcntl.ioctl(s, 0x8914, struct.pack("16sh", b"lo", flags | 1 if up else flags & ~1))
"""
chance = random.Random(SEED)


def set_up(w):
    os.chmod(w.dir, 0o755)
    w.note = w.dir / "net" / "state"
    w.note.parent.mkdir()
    w.note.write_text("down\n")
    founder = Kedge(w)
    w.ssh_key("pinned")
    w.operator("ada")
    founder("operator", "put", "ada", "--role", "approver", "--public-key", w.dir / "pinned.pub")
    founder("operator", "put", "founder", "--role", "admin", "--role", "responder", "--role", "viewer")
    w.host("web-1", w.dir / "agent/state")
    (w.dir / "lo.py").write_text(LOOPBACK)
    (w.dir / "agent.yaml").write_text(
        "host: web-1\ndomain: %s\nstate_directory: %s/agent/state\nuser: nobody\ncontroller: { url: \"wss://127.0.0.1:%d\", name: main }\napprovers: [ \"%s\" ]\n"
        "drift_every: 1s\nservices:\n  net:\n    components: { config: { paths: [ %s/net ] } }\n    steps: { start: [ %s, %s/lo.py, %s ] }\n"
        "    probes: [ { name: there, every: 1s, timeout: 900ms, age: { path: %s, warn: 30d, critical: 60d } } ]\n"
        "    rollback: { max_per_hour: 60, confirm_within: %ds }\n    snapshots: { every: 0s }\n"
        % (DOMAIN, w.dir, w.agents, (w.dir / "pinned.pub").read_text().strip(), w.dir, sys.executable, w.dir, w.note, w.note, PATIENCE))
    w.agent = w.agent_of(w.dir)
    w.wait(w.is_connected, "the agent")
    w.wait(lambda: [h["state"] for h in w.api("health")["items"]] == ["HEALTHY"], "health")
    return founder


def point(w, founder, text):
    """A restore point that holds this, while the way stays open."""
    w.note.write_text(text)
    before = {s["snapshot"] for s in w.api("snapshot")["items"]}
    run(BIN / "kedge", "--config", founder.file, "snapshot", "create", "net", "web-1")
    w.wait(lambda: {s["snapshot"] for s in w.api("snapshot")["items"]} - before, "a restore point")
    return ({s["snapshot"] for s in w.api("snapshot")["items"]} - before).pop()


def newest(w, noun):
    items = w.api("%s?limit=1&order=desc" % noun)["items"]
    return items[0] if items else {}


def ordered(w, founder, ada, to):
    """Asked for, and being approved: whoever approves may be cut off too."""
    asked = founder("rollback", "start", "net", "--host", "web-1", "--component", "config", "--to", to, "--incident", "INC-1", "--no-wait")
    change = newest(w, "change")
    if change.get("state") != "requested":
        sys.exit("no rollback was asked for: %s%s" % (asked.stdout, asked.stderr))
    return subprocess.Popen([BIN / "kedge", "--config", ada.file, "change", "approve", "CHG-%d" % change["number"], "--key", w.dir / "pinned", "--yes"],
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def ended(w, number):
    try:
        r = newest(w, "rollback")
        return r.get("number") == number and r["state"] == "ended" and r
    except OSError:
        return False


def seen(w):
    """What the controller knows of the configuration as it is: a plan is made on that."""
    return [d.get("digest") for d in w.api("drift")["items"] if d["changed"]]


def cut_off(w, founder, ada, down, number):
    """One rollback that takes the way away: how long the host was cut off."""
    now, before = "now %d\n" % number, seen(w)
    w.note.write_text(now)
    w.wait(lambda: seen(w) and seen(w) != before, "the drift")
    time.sleep(chance.uniform(0, 3))  # where the agent's rounds are is chance
    began = time.monotonic()
    approving = ordered(w, founder, ada, down)
    w.wait(lambda: w.note.read_text() == "down\n", "the rollback in place")
    placed = time.monotonic()
    w.wait(lambda: w.note.read_text() == now, "the way back, by itself", PATIENCE + UNDOING)
    back = time.monotonic() - placed
    check("a rollback that cuts the host off undoes itself (%.1f s after it)" % back, PATIENCE - 1 < back < PATIENCE + UNDOING)
    w.wait(lambda: ended(w, number), "the controller to hear of it", 60)
    order = newest(w, "order")
    check("its order ends reverted, and says why (%.1f s in all)" % (time.monotonic() - began),
          order["outcome"] == "reverted" and "cut this host off" in order.get("text", ""), order)
    check("the host is in the state before", w.note.read_text() == now)
    approving.wait(60)
    w.wait(w.is_connected, "the agent", 60)
    return back


def main():
    with tempfile.TemporaryDirectory(prefix="kedge-e2e-") as folder:
        open(folder + "/up", "w").close()
        subprocess.run([sys.executable, "-c", LOOPBACK, folder + "/up"], check=True)
        w = World(folder)
        founder = set_up(w)
        ada = Kedge(w, "ada")
        try:
            down, calm = point(w, founder, "down\n"), point(w, founder, "calm\n")
            w.api("incident/open", {"service": "net", "title": "the network of web-1"})
            took = [cut_off(w, founder, ada, down, number) for number in range(1, TIMES + 1)]
            print("%d of %d came back by themselves: %.1f to %.1f s after they were cut off" % (len(took), TIMES, min(took), max(took)))
            approving = ordered(w, founder, ada, calm)
            w.wait(lambda: ended(w, TIMES + 1), "the end of the last", 60)
            check("one that leaves the way open is confirmed and stays", ended(w, TIMES + 1)["outcome"] == "ok" and w.note.read_text() == "calm\n", newest(w, "order"))
            approving.wait(60)
            check("the host said that it is self-affecting", any(p.get("self_affecting") for p in w.api("placement")["items"]))
        finally:
            w.agent.terminate()
            w.agent.wait(20)
            w.process.kill()
            w.process.wait()
        if failures:
            print((w.dir / "agent.log").read_text()[-3000:])
    sys.exit(1 if failures else 0)


main()
