#!/usr/bin/python3
"""tests/e2e/approval.py BIN: what people decide, end to end, through `kedge` on a real host.

No standing policy here.  A broken file opens an incident; a rollback is asked for and waits; it begins with the signature of somebody whose
key the host pins, and is undone as a normal change, with two.  A signature by a key that only the controller knows is refused by the host itself; so is an
operator without the role, and whoever asked.  A halt stops what is new.
"""
import os
import signal
import sys
import tempfile
import time

from world import DOMAIN, Kedge, World, check, failures

def set_up(w, founder):
    os.chmod(w.dir, 0o755)
    (w.dir / "tree").mkdir()
    (w.dir / "tree/note").write_text("good\n")
    pinned, second, other = w.ssh_key("pinned"), w.ssh_key("second"), w.ssh_key("other")
    w.operator("ada")
    founder("operator", "put", "founder", "--role", "admin", "--role", "approver", "--role", "responder", "--role", "viewer", "--public-key", str(pinned) + ".pub")
    w.operator("grace")
    founder("operator", "put", "grace", "--role", "approver", "--public-key", str(second) + ".pub")
    founder("operator", "put", "ada", "--role", "approver", "--public-key", str(pinned) + ".pub", "--public-key", str(other) + ".pub")
    w.operator("guest")
    founder("operator", "put", "guest", "--role", "viewer")
    w.host("web-1", w.dir / "agent/state")
    (w.dir / "agent.yaml").write_text(
        "host: web-1\ndomain: %s\nstate_directory: %s/agent/state\nuser: nobody\ncontroller: { url: \"wss://127.0.0.1:%d\", name: main }\napprovers: [ \"%s\", \"%s\" ]\n"
        "drift_every: 1s\nservices:\n  notes:\n    components: { config: { paths: [ %s/tree ] } }\n"
        "    probes: [ { name: good, every: 1s, timeout: 900ms, rise: 1, fall: 2, exec: [ grep, -q, good, %s/tree/note ] } ]\n"
        "    rollback: { max_per_hour: 20 }\n    snapshots: { every: 0s }\n" % (DOMAIN, w.dir, w.agents, (w.dir / "pinned.pub").read_text().strip(), (w.dir / "second.pub").read_text().strip(), w.dir, w.dir))
    w.agent = w.agent_of(w.dir)
    w.wait(w.is_connected, "the agent")
    w.wait(lambda: [h["state"] for h in w.api("health")["items"]] == ["HEALTHY"], "health")
    check("a restore point on demand", founder("snapshot", "create", "notes", "web-1").returncode == 0)
    w.wait(lambda: w.api("snapshot")["items"], "the restore point")


def newest(founder, noun):
    items = founder.json(noun, "list", "--limit", 1)["items"]
    return items[0] if items else {}


def ended(w, founder, number):
    w.wait(lambda: newest(founder, "rollback").get("number") == number and newest(founder, "rollback")["state"] == "ended", "the end of RB-%d" % number, 60)
    return newest(founder, "rollback")["outcome"]


def broken(w, founder, ada, guest):
    note = w.dir / "tree/note"
    note.write_text("broken\n")
    w.wait(lambda: newest(founder, "incident").get("state") not in (None, "resolved", "closed"), "an incident", 20)
    w.wait(lambda: any(d["changed"] for d in w.api("drift")["items"]), "the drift", 20)
    check("without a policy nothing begins by itself", not w.api("rollback")["items"])
    check("a viewer may not ask for a rollback", guest("rollback", "start", "notes", "--host", "web-1", "--reason", "x").returncode == 3)
    incident = "INC-%d" % newest(founder, "incident")["number"]
    check("acknowledged", founder("incident", "ack", incident).returncode == 0)
    plan = founder("rollback", "plan", "notes", "--host", "web-1", "--component", "config", "--incident", incident)
    check("a plan says what would be done, and changes nothing", plan.returncode == 0 and "web-1" in plan.stdout and not w.api("rollback")["items"], plan.stderr)
    asked = founder("rollback", "start", "notes", "--host", "web-1", "--component", "config", "--incident", incident, "--no-wait")
    change = newest(founder, "change")
    check("a rollback is asked for and waits", asked.returncode in (0, 6) and change.get("state") == "requested", asked.stderr)
    check("a viewer may not approve it", guest("change", "approve", "CHG-%d" % change["number"], "--key", w.dir / "pinned", "--yes").returncode == 3)
    check("nor the one who asked for it", founder("change", "approve", "CHG-%d" % change["number"], "--key", w.dir / "pinned", "--yes").returncode == 3)
    check("nor does anything happen", note.read_text() == "broken\n")
    said = ada("change", "approve", "CHG-%d" % change["number"], "--key", w.dir / "other", "--yes")
    check("a key that only the controller knows: the host refuses", said.returncode != 0 and ended(w, founder, 1) in ("refused", "failed") and note.read_text() == "broken\n", said.stdout)
    founder("rollback", "start", "notes", "--host", "web-1", "--component", "config", "--incident", incident, "--no-wait")
    said = ada("change", "approve", "CHG-%d" % newest(founder, "change")["number"], "--key", w.dir / "pinned", "--yes")
    check("a key that the host pins: done", said.returncode == 0 and ended(w, founder, 2) == "ok" and note.read_text() == "good\n", said.stdout + said.stderr)
    w.wait(lambda: founder.json("incident", "list", "--limit", 1)["items"][0]["state"] == "resolved", "the incident to be resolved", 30)
    check("its incident is resolved", True)


def approve_both(w, founder, ada, grace):
    """A normal change: two people."""
    change = "CHG-%d" % newest(founder, "change")["number"]
    first = ada("change", "approve", change, "--key", w.dir / "pinned", "--yes")
    waits = w.api("rollback?limit=1&order=desc")["items"][0]["state"] == "ended"
    return waits, first, grace("change", "approve", change, "--key", w.dir / "second", "--yes")


def undone(w, founder, ada, grace):
    note = w.dir / "tree/note"
    note.write_text("good, and new\n")
    w.wait(lambda: any(d["changed"] for d in w.api("drift")["items"]), "the drift", 20)
    founder("rollback", "start", "notes", "--host", "web-1", "--component", "config", "--reason", "suspected", "--no-wait")
    waits, first, said = approve_both(w, founder, ada, grace)
    check("a normal change waits for a second approval", waits and first.returncode == 0 and "waits for others" in first.stdout + first.stderr, first.stdout + first.stderr)
    check("and is done with it", ended(w, founder, 3) == "ok" and note.read_text() == "good\n", said.stdout + said.stderr)
    asked = founder("rollback", "undo", "RB-3", "the fault was elsewhere", "--no-wait")
    check("an undo is asked for and waits", newest(founder, "change").get("state") == "requested", asked.stdout + asked.stderr)
    waits, first, said = approve_both(w, founder, ada, grace)
    check("an undo puts back what was replaced", ended(w, founder, 4) == "ok" and note.read_text() == "good, and new\n", said.stdout + said.stderr)
    check("a halt is obeyed", founder("halt", "wrong way").returncode == 0)
    refused = founder("rollback", "start", "notes", "--host", "web-1", "--component", "config", "--reason", "again", "--no-wait")
    if refused.returncode == 0:
        refused = ada("change", "approve", "CHG-%d" % newest(founder, "change")["number"], "--key", w.dir / "pinned", "--yes", "--no-wait")
        time.sleep(2)
    check("nothing new begins", note.read_text() == "good, and new\n", refused.stdout)
    check("released", founder("resume", "the right way").returncode == 0)
    w.wait(lambda: founder("status").returncode == 0, "the status")
    check("the audit trail is sound and names who approved", founder("audit", "verify").returncode == 0 and
          any(e["action"] == "change.approve" and e["actor_name"] == "ada" for e in w.api("audit?limit=1000")["items"]))


def diagnosed(w, founder, wanted):
    """The newest incident's cause, once its diagnosis names one that holds the word."""
    def cause():
        i = newest(founder, "incident")
        d = founder.json("diagnosis", "list", "--incident", "INC-%d" % i["number"], "--limit", 1)["items"]
        return d and wanted in d[0].get("root_cause", "") and i
    w.wait(cause, "a diagnosis that says \"%s\"" % wanted, 40)
    return newest(founder, "incident")


def learned(w, founder):
    """What a person corrected once is what the next one like it is diagnosed as."""
    note = w.dir / "tree/note"
    note.write_text("broken\n")
    first = diagnosed(w, founder, "config of notes")
    said = founder("diagnosis", "correct", "INC-%d" % first["number"], "--service", "notes", "the mirror had gone stale")
    check("a diagnosis is corrected with one command", said.returncode == 0, said.stderr)
    wrong = founder("diagnosis", "correct", "INC-%d" % first["number"], "--service", "nobody", "x")
    check("not with a service that is not there", wrong.returncode == 4, wrong.stderr)
    note.write_text("good\n")
    w.wait(lambda: newest(founder, "incident")["state"] == "resolved", "the incident to be resolved", 30)
    check("and closed with its review", founder("incident", "close", "INC-%d" % first["number"], "learned").returncode == 0)
    note.write_text("broken\n")
    w.wait(lambda: newest(founder, "incident")["number"] > first["number"], "another incident", 20)
    second = diagnosed(w, founder, "the mirror had gone stale")
    page = founder("incident", "show", "INC-%d" % second["number"]).stdout
    check("the next one is diagnosed as corrected, and says where from", "as in INC-%d" % first["number"] in page and "looked like this" in page, page)
    note.write_text("good\n")


def main():
    if os.geteuid() != 0:
        print("skipped: needs root")
        sys.exit(77)
    with tempfile.TemporaryDirectory(prefix="kedge-approval.", dir="/tmp") as folder:
        w = World(folder)
        founder, ada, grace, guest = [Kedge(w, name) for name in ("op", "ada", "grace", "guest")]
        try:
            set_up(w, founder)
            broken(w, founder, ada, guest)
            undone(w, founder, ada, grace)
            learned(w, founder)
            w.agent.send_signal(signal.SIGTERM)
            check("SIGTERM ends the agent cleanly", w.agent.wait(90) == 0)
        finally:
            if getattr(w, "agent", None) and w.agent.poll() is None:
                w.agent.kill()
                w.agent.wait()
            w.stop()
    sys.exit(1 if failures else 0)


main()
