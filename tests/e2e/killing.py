#!/usr/bin/python3
"""tests/e2e/killing.py BIN [ROUNDS [SEED]]: kill -9 of either side at any moment.

Each round somebody breaks a file, an operator orders it rolled back (under a signed standing policy), and within the next half second the
controller or the agent is killed with SIGKILL and begun again.  Then the rollback must end in a named state, the file must be whole (the good
one after `ok`, the broken one after `reverted`), every order must have taken effect once, and no report may be lost or told twice: the
host's sequence goes on without a gap, and the audit trail verifies.  Default 8 rounds; `killing.py BIN 200` is the long form.
"""
import os
import random
import signal
import sys
import tempfile
import time
import urllib.error

from world import DOMAIN, World, run, when

ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 8
SEED = int(sys.argv[3]) if len(sys.argv) > 3 else random.randrange(1 << 30)
dice = random.Random(SEED)
POLICY = """name: night
services: [ "notes-*" ]
components: [ config ]
least_severity: critical
least_confidence: 0.5
max_hosts: 1
max_per_hour: 60
cool_down: 1s
expires: %s
reason: killing
"""


SERVICES = ROUNDS // 50 + 1  # a host allows 60 changes of one service in an hour


def agent_yaml(w):
    head = """host: web-1
domain: %s
state_directory: %s/agent/state
user: nobody
controller: { url: "wss://127.0.0.1:%d", name: main }
approvers: [ "%s" ]
drift_every: 1s
services:
""" % (DOMAIN, w.dir, w.agents, (w.dir / "approval.pub").read_text().strip())
    return head + "".join("""  notes-%d:
    components: { config: { paths: [ %s/tree-%d ] } }
    probes:
      - { name: good, every: 1s, timeout: 900ms, rise: 1, fall: 3, exec: [ grep, -q, good, %s/tree-%d/note ] }
    rollback: { automatic: [ config ], max_per_hour: 60 }
""" % (i, w.dir, i, w.dir, i) for i in range(SERVICES))


def call(w, path, body=None, seconds=30):
    """The API, whatever happens to the controller meanwhile; a POST carries its own idempotency in what it asks for."""
    until = time.monotonic() + seconds
    while True:
        try:
            return w.api(path, body)
        except urllib.error.HTTPError as e:
            if e.code not in (503, 504) or time.monotonic() > until:
                raise
        except OSError:
            if time.monotonic() > until:
                raise
        time.sleep(0.1)


def set_up(w):
    for i in range(SERVICES):
        (w.dir / ("tree-%d" % i)).mkdir()
        (w.dir / ("tree-%d" % i) / "note").write_text("good\n")
    os.chmod(w.dir, 0o755)
    w.ssh_key("approval")
    call(w, "operator/put", {"name": "founder", "roles": ["viewer", "responder", "approver", "admin"], "keys": [(w.dir / "approval.pub").read_text().strip()]})
    w.install_policy(w.dir / "approval", POLICY % time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 86400)))
    (w.dir / "agent.yaml").write_text(agent_yaml(w))
    run(*w.join_words("web-1", w.dir))
    w.agent = w.agent_of(w.dir)
    w.wait(lambda: call(w, "host")["items"] and call(w, "host")["items"][0]["state"] == "connected", "the agent")
    points = {}
    for i in range(SERVICES):
        service = "notes-%d" % i

        def known():
            return [s for s in call(w, "snapshot?service=%s&limit=1000" % service)["items"] if not s.get("suspect") and s["reason"] == "manual"]

        call(w, "snapshot/create", {"service": service, "host": "web-1"})
        w.wait(known, "a restore point of " + service)
        points[service] = known()[0]["snapshot"]
    return points


def kill_and_begin(w, which):
    if which == "controller":
        w.process.kill()
        w.process.wait()
        w.start()
    else:
        w.agent.kill()
        w.agent.wait()
        time.sleep(dice.random() * 0.2)
        w.agent = w.agent_of(w.dir)


def is_known(w, service, note):
    written = int(note.stat().st_mtime * 1000) / 1000
    drifts = [d for d in call(w, "drift?limit=1000")["items"] if d["service"] == service and d.get("changed")]
    return any(when(d["newest_change"]) >= written for d in drifts)


def one_round(w, n, points, counts):
    service = "notes-%d" % (n % SERVICES)
    note = w.dir / ("tree-%d" % (n % SERVICES)) / "note"
    note.write_text("broken in round %d\n" % n)
    # A rollback is planned on what the controller knows: on the round before, the host would rightly refuse it.
    w.wait(lambda: is_known(w, service, note), "the controller to know of round %d" % n, 60)
    before = {r["rollback"] for r in call(w, "rollback?limit=1000")["items"]}
    answer = None
    until = time.monotonic() + 30
    while not answer:
        try:
            answer = call(w, "rollback/start", {"service": service, "hosts": ["web-1"], "components": ["config"], "snapshot": points[service], "text": "round %d" % n})
        except urllib.error.HTTPError as e:
            if time.monotonic() > until:
                sys.exit("round %d: no rollback: %s\n%s" % (n, e.read().decode(), (w.dir / "agent.log").read_text()[-4000:]))
            time.sleep(0.3)
    which = dice.choice(["controller", "agent"])
    time.sleep(dice.random() * 0.5)
    kill_and_begin(w, which)

    def mine():
        return [r for r in call(w, "rollback?limit=1000")["items"] if r["rollback"] not in before]

    w.wait(lambda: mine() and mine()[0]["state"] == "ended", "the end of the rollback of round %d (%s was killed)" % (n, which), 120)
    if len(mine()) != 1:
        sys.exit("round %d: %d rollbacks for one request" % (n, len(mine())))
    outcome, text = mine()[0]["outcome"], note.read_text()
    counts[(which, outcome)] = counts.get((which, outcome), 0) + 1
    whole = text == "good\n" if outcome == "ok" else text in ("good\n", "broken in round %d\n" % n)
    if outcome not in ("ok", "reverted") or not whole:
        sys.exit("round %d (%s killed): outcome %s, the file holds %r\n%s" % (n, which, outcome, text, (w.dir / "agent.log").read_text()[-3000:]))


def verdict(w):
    """Once in effect, nothing lost."""
    w.wait(lambda: call(w, "host")["items"][0]["state"] == "connected", "the agent at last", 60)
    orders = [o for o in call(w, "order?limit=1000")["items"] if o["kind"] == "rollback"]
    restorations = [r["order_id"] for r in call(w, "restoration?limit=1000")["items"]]
    if sorted(restorations) != sorted(o["order_id"] for o in orders):
        sys.exit("%d orders, %d restorations" % (len(orders), len(restorations)))
    lost = [e for e in call(w, "audit?limit=1000&order=desc")["items"] if "lost" in (e.get("text") or "") or e["action"] == "report.refused"]
    if lost:
        sys.exit("reports were lost or refused: %s" % lost[:3])
    if call(w, "audit/verify", None)["problem"] != "sound":
        sys.exit("the audit trail is not sound")


def main():
    if os.geteuid() != 0:
        print("skipped: needs root")
        sys.exit(77)
    print("seed", SEED, flush=True)
    counts = {}
    with tempfile.TemporaryDirectory(prefix="kedge-kill.", dir="/tmp") as folder:
        w = World(folder)
        try:
            points = set_up(w)
            for n in range(ROUNDS):
                one_round(w, n, points, counts)
            verdict(w)
        finally:
            for p in (getattr(w, "agent", None), w.process):
                if p and p.poll() is None:
                    p.send_signal(signal.SIGTERM)
                    p.wait(90)
    print("%d kills:" % ROUNDS, ", ".join("%s killed, %s: %d" % (*k, v) for k, v in sorted(counts.items())))


if __name__ == "__main__":
    main()
