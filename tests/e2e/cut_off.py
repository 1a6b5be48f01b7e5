#!/usr/bin/python3
"""tests/e2e/cut_off.py BIN: a host that is cut off brings its service back by hand, and the controller hears of it later; practised
restores and the recovery board; the end of a watched process.  Real programs."""
import json
import os
import subprocess
import sys
import tempfile

from world import BIN, DOMAIN, Kedge, World, check, failures, run, watches

def enrol(w):
    (w.dir / "tree").mkdir()
    (w.dir / "tree" / "note").write_text("good\n")
    os.chmod(w.dir, 0o755)
    w.sleeper = subprocess.Popen(["sleep", "300"])
    (w.dir / "pid").write_text("%d\n" % w.sleeper.pid)
    (w.dir / "agent.yaml").write_text(
        "host: web-1\ndomain: %s\nstate_directory: %s/agent\nuser: nobody\ncontroller: { url: \"wss://127.0.0.1:%d\", name: main }\n"
        "services:\n  notes:\n    components: { config: { paths: [ %s/tree ] } }\n    snapshots: { drill_every: 5s }\n"
        "    steps: { check: [ grep, -q, good, %s/tree/note ] }\n"
        "    probes: [ { name: note, every: 1s, timeout: 900ms, age: { path: %s/tree/note, warn: 30d, critical: 60d } } ]\n"
        "  daemon:\n    probes: [ { name: alive, every: 1h, process: { pid_file: %s/pid } } ]\n"
        % (DOMAIN, w.dir, w.agents, w.dir, w.dir, w.dir, w.dir))
    run(*w.join_words("web-1", w.dir))
    w.founder = Kedge(w)


def local(w, *words):
    return subprocess.run([BIN / "kedge-agent", *words, "--config", w.dir / "agent.yaml"], capture_output=True, text=True, timeout=60)


def board(w):
    rows = w.founder.json("recovery", "board")["rows"]
    return next((r for r in rows if r["service"] == "notes"), {})


def practised(w):
    check("a restore point by hand", local(w, "snapshot", "create", "notes").returncode == 0)
    w.wait(lambda: board(w).get("snapshot"), "the restore point on the board")
    w.wait(lambda: board(w).get("drill_ok"), "a practised restore on the board", 40)
    row = board(w)
    check("the board tells of restore point, drill, RPO and RTO", "rpo_ms" in row and row.get("proven") and not row.get("overdue"))
    mine = json.loads(local(w, "status", "-o", "json").stdout)[0]
    check("and the host the same of itself", mine["snapshot"] == row["snapshot"] and mine["drill_ok"])


def watched(w):
    w.wait(lambda: "alive" in (w.dir / "agent.log").read_text(), "the first look at the daemon", 20)
    w.wait(lambda: watches(w.agent, w.sleeper), "the daemon to be held by a descriptor")
    w.sleeper.kill()
    w.sleeper.wait()
    # Its probe runs once an hour: only the event can tell.
    w.wait(lambda: "daemon on web-1 is DOWN" in (w.dir / "controller.log").read_text(), "the end of the daemon", 10)
    check("the end of a watched process is told at once", True)


def by_hand(w):
    check("the controller stops", w.stop())
    (w.dir / "tree" / "note").write_text("broken by hand\n")
    planned = local(w, "rollback", "plan", "notes", "--to", "last")
    check("a plan, cut off", planned.returncode == 0 and "1 replaced" in planned.stdout)
    done = local(w, "rollback", "start", "notes", "--to", "last")
    check("brought back, cut off", done.returncode == 0 and (w.dir / "tree" / "note").read_text() == "good\n")
    (w.dir / "tree" / "note").write_text("and again\n")
    done = local(w, "rollback", "start", "notes", "--progressive")
    check("and progressively", done.returncode == 0 and (w.dir / "tree" / "note").read_text() == "good\n")
    w.start()
    w.wait(w.is_connected, "the agent again", 30)
    w.wait(lambda: len(w.api("restoration")["items"]) == 2, "what was done by hand", 30)
    check("both stand in the controller's record", all(r["outcome"] == "ok" and r["host"] == "web-1" for r in w.api("restoration")["items"]))
    check("and on the trail, with a name", w.audited("rolled notes back on web-1 itself"))
    w.wait(lambda: not list((w.dir / "agent" / "by-hand").glob("*.json")), "the files of what is told")


def main():
    if os.geteuid() != 0:
        print("skipped: the agent's two halves need root")
        sys.exit(77)
    with tempfile.TemporaryDirectory(prefix="kedge-e2e-") as folder:
        w = World(folder)
        enrol(w)
        w.agent = w.agent_of(w.dir)
        try:
            w.wait(w.is_connected, "the agent")
            practised(w)
            watched(w)
            by_hand(w)
        finally:
            w.agent.terminate()
            w.agent.wait(20)
            w.sleeper.kill()
            w.process.kill()
            w.process.wait()
        if failures:
            print((w.dir / "agent.log").read_text()[-3000:])
    sys.exit(1 if failures else 0)


main()
