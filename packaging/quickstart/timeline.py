"""timeline.py BROKEN_MS < five JSON answers of the API: the seconds of one incident, stage by stage, beside their targets."""
import json
import sys
from datetime import datetime

broken = int(sys.argv[1])
incident, rollbacks, orders, diagnoses, changes = (json.loads(line) for line in sys.stdin.read().splitlines() if line.strip())
mine = lambda answer: [x for x in answer["items"] if x.get("incident") == incident["incident"]]


def ms(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000 if text else None


def row(what, seconds, must="", aim=""):
    print("  %-46s %7s s   %6s  %6s" % (what, "%.2f" % seconds if seconds is not None else "-", must, aim))


rollback = (mine(rollbacks) or [None])[-1]
order = next((o for o in orders["items"] if rollback and o.get("rollback") == rollback["rollback"]), None)
diagnosis = (mine(diagnoses) or [None])[-1]
change = (mine(changes) or [None])[-1]
if not (rollback and order and diagnosis and change):
    sys.exit("quickstart: the incident was not brought back by a rollback: kedge incident show INC-%d" % incident["number"])

print("\nINC-%d  %s  %s" % (incident["number"], incident["severity"], incident["title"]))
print("diagnosis: %s (confidence %.2f)" % (diagnosis["root_cause"], diagnosis["confidence"]))
print("change:    CHG-%d, %s, %s under policy %s" % (change["number"], change["kind"], change["state"], change.get("policy", "-")))
print("rollback:  RB-%d of %s on %s: %s" % (rollback["number"], "+".join(rollback["components"]), rollback["hosts"][0]["host"], rollback["outcome"]))
print("\n  %-46s %9s   %6s  %6s" % ("stage", "took", "must", "aim"))
opened, sent, ended, resolved = ms(incident["opened"]), ms(order["asked"]), ms(order["ended"]), ms(incident["resolved"])
row("fault to incident", (opened - broken) / 1000, "5", "2")
row("incident to orders out", (sent - opened) / 1000, "3", "0.5")
steps = order.get("steps", [])
for s in steps:
    row("  on the host: " + s["kind"], s.get("took_ms", 0) / 1000)
first = next((ms(s["began"]) for s in steps if s["kind"] == "stop"), None)
last = max((ms(s["began"]) + s.get("took_ms", 0) for s in steps), default=None)
limits = ("10", "2") if "config" in rollback["components"] else ("20", "3")
row("on the host, stop to healthy", (last - first) / 1000 if first and last else None, *limits)
row("health proven and resolved", (resolved - ended) / 1000)
row("whole drill, fault to RESOLVED", (resolved - broken) / 1000, "60", "10")
