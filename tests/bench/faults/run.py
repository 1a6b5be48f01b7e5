#!/usr/bin/python3
"""run.py BIN WORK [--only WORD,…] [--seed N] [--share I/N] [--evidence FOLDER] --out FILE: the bench of faults (see ../faults.sh).

For each fault of faults.tsv: it is made; the product detects, diagnoses and proposes; the first fix that it proposes is what is done, under
its own rules (the standing policy lets it go, or a second operator signs); then health must be proven, the incident resolved, all that the
services hold be as it was, and nothing elsewhere be touched: no other host's service was restarted, nothing that the database had taken
is lost (unless the database itself had to go back), no program, identity or repository outside changed.  Afterwards the world is put back
by this bench, outside of the score; it is made anew after a fault that was not mended, so that each is judged for itself.  --evidence keeps
all that the product recorded about each fault that was not mended.
"""
import argparse
import fcntl
import http.client
import json
import pathlib
import random
import shutil
import ssl
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
DETECT_S, DIAGNOSE_S, SETTLE_S, WORK_S, PROVE_S, CALM_S = 20, 30, 1.5, 75, 40, 8
HOSTS = ("web-1", "web-2", "db-1")
OPEN = ("detected", "acknowledged", "investigating", "identified", "resolving")


class World:
    def __init__(self, binaries, folder, log):
        self.bin, self.dir, self.log = binaries, folder, log
        self.connection = self.evidence = None

    def sh(self, *words, timeout=120):
        return subprocess.run(["sh", HERE / "world.sh", self.bin, self.dir, *words], stdout=subprocess.PIPE, stderr=self.log, text=True, timeout=timeout)

    def up(self):
        with open(self.dir.parent / "up.lock", "w") as lock:  # of several worlds: ports that are free now are looked for by one
            fcntl.flock(lock, fcntl.LOCK_EX)
            if self.sh("up", timeout=300).returncode:
                sys.exit("faults: the world did not come up: see %s" % self.log.name)
        self.ports = dict(w.split("=") for w in (self.dir / "ports").read_text().split())
        self.reference = (self.dir / "reference.sum").read_text()

    def anew(self):
        """Nothing of what went wrong is left to the next fault: no marks at restore points, no changes among the suspects."""
        self.sh("down")
        self.connection = None
        for entry in self.dir.iterdir():
            if entry.name != "bench.log":
                shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
        self.up()

    def api(self, path):
        for _ in range(3):
            try:
                if not self.connection:
                    c = ssl.create_default_context(cafile=str(self.dir / "ca/authority.pem"))
                    c.load_cert_chain(self.dir / "operator/cert.pem", self.dir / "operator/key.pem")
                    self.connection = http.client.HTTPSConnection("127.0.0.1", int(self.ports["operators_port"]), context=c, timeout=15)
                self.connection.request("GET", "/api/v1/" + path)
                return json.loads(self.connection.getresponse().read())
            except (OSError, http.client.HTTPException, ValueError):
                self.connection = None
                time.sleep(0.2)
        sys.exit("faults: the controller does not answer")

    def newest(self, noun, n=12):
        return self.api("%s?limit=%d&order=desc" % (noun, n)).get("items", [])

    def healthy(self):
        items = self.api("health").get("items", [])
        return len(items) == 3 and all(h["state"] == "HEALTHY" for h in items)

    def kedge(self, who, *words):
        file = self.dir / ("kedge.yaml" if who == "founder" else "second.yaml")
        done = subprocess.run([self.bin / "kedge", "--config", file, *words], stdout=self.log, stderr=self.log, timeout=120)
        return done.returncode == 0


def hosts_of(fault):
    return fault["host"].split(",")


def repairs_of(fault):
    """What mends it, as pairs of a repair and its host; none when it passes by itself."""
    words = [r.strip().partition("@") for r in (fault.get("repair") or "").split(",")]
    return [(r, host or hosts_of(fault)[0]) for r, _, host in words if r not in ("", "none", "itself")]


def causes_of(fault):
    """Pairs of a service and a component: more than one where there are two faults at once."""
    services, components = fault["service"].split(","), fault["component"].split(",")
    return [(services[min(i, len(services) - 1)], c) for i, c in enumerate(components)]


def harm(w, fault, before, wanted):
    """What is not as it should be after a repair: a list of lines, empty when nothing was harmed."""
    now = w.sh("sum").stdout
    found = ["not as it was: " + line for line in sorted(set(now.splitlines()) - set(wanted.splitlines()))]
    was, is_now = ({" ".join(line.split()[:2]): line for line in text.splitlines()} for text in (before, w.sh("marks").stdout))
    for mark in was:
        host, noun = mark.split()[:2]
        if noun == "pulses":
            if fault["component"] != "database" and int(is_now[mark].split()[-1]) < int(was[mark].split()[-1]):
                found.append("writes were lost: %s, now %s" % (was[mark], is_now[mark].split()[-1]))
        elif host not in hosts_of(fault) and is_now.get(mark) != was[mark] and not (noun == "repository" and "code" in fault["component"].split(",")):
            found.append("touched elsewhere: %s, now %s" % (was[mark], is_now.get(mark)))
    return found


def until(condition, seconds, step=0.1):
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value or time.monotonic() > end:
            return value
        time.sleep(step)


def suspects_rank(d, fault):
    """1 is first; 0: not among them.  Hosts of one cause count as one."""
    seen = []
    for s in d.get("suspects", []):
        cause = (s.get("service"), s.get("component") if s.get("has_component") else "-")
        if cause in causes_of(fault) and s.get("host") in (None, *hosts_of(fault)):
            return len(seen) + 1
        if cause not in seen:
            seen.append(cause)
    return 0


def asked_by_hand(w, d, incident):
    """Nothing was proposed as a change: what the first fix would have a person type."""
    for fix in d.get("fixes", [])[:1]:
        for command in fix.get("commands", [])[:1]:
            words = command.split()
            if fix["action"] in ("rollback", "run") and words[:1] == ["kedge"]:
                return w.kedge("founder", *words[1:], "--no-wait")
    return False


class Course:
    """What the product makes of one fault."""

    def __init__(self, w, fault):
        self.w, self.fault = w, fault
        self.last = max([i["number"] for i in w.newest("incident", 4)], default=0)
        self.last_change = max([c["number"] for c in w.newest("change", 4)], default=0)

    def look(self):
        self.incidents = [i for i in self.w.newest("incident") if i["number"] > self.last]
        ids = {i["incident"] for i in self.incidents}
        self.changes = sorted((c for c in self.w.newest("change") if c["number"] > self.last_change), key=lambda c: c["number"])
        self.diagnoses = [d for d in self.w.newest("diagnosis", 24) if d["incident"] in ids]  # newest first
        return self.incidents

    def settled(self):
        return all(i["state"] not in OPEN for i in self.incidents)

    def begun(self, n=0):
        """The first change that began, or one after it."""
        all_begun = [c for c in self.changes if c.get("began_ms") or c["state"] in ("implementing", "validating", "completed", "failed")]
        return all_begun[n] if n < len(all_begun) else None

    def waiting(self):
        return next((c for c in self.changes if c["state"] == "requested"), None)

    def standing(self, n=0):
        """The diagnosis that people would act on: of the first incident whose newest one names a cause, else the first; after a change, of those that are open."""
        best = None
        for i in sorted((i for i in self.incidents if not n or i["state"] in OPEN), key=lambda i: i["number"]):
            d = next((d for d in self.diagnoses if d["incident"] == i["incident"]), None)
            if d and not d.get("abstained"):
                return d
            best = best or d
        return best

    def approve(self, change, n):
        self.w.kedge("second", "change", "approve", "CHG-%d" % change["number"], "--key", str(self.w.dir / "second/approval"), "--yes", "--no-wait")
        return until(lambda: self.look() and self.begun(n), 5)

    def decide(self, n=0):
        """Until the change after n others begins, everything healed by itself, or time is over."""
        end = time.monotonic() + DIAGNOSE_S
        seen, since = None, time.monotonic()
        while time.monotonic() < end:
            self.look()
            if self.begun(n) or ((n or self.fault.get("repair") == "itself") and self.settled() and self.w.healthy()):
                return
            change = self.waiting()
            if (change or {}).get("number") != seen:
                seen, since = (change or {}).get("number"), time.monotonic()
            if change and time.monotonic() - since >= SETTLE_S:
                if self.approve(change, n):
                    return
                since = time.monotonic()
            time.sleep(0.1)
        d = self.standing(n)
        if d and not d.get("abstained") and asked_by_hand(self.w, d, self.incidents[0]):
            until(lambda: self.look() and (self.begun(n) or self.waiting()), 5)
            change = self.waiting()
            if change:
                self.approve(change, n)


def describe(change):
    if not change:
        return "-"
    p = change.get("plan", {})
    return "%s %s %s" % (p.get("action") or "rollback", change.get("service"), ",".join(p.get("components", [])) or ",".join(h["host"] for h in p.get("hosts", [])))


def see_through(w, course, fixes):
    """Each of so many fixes until it has ended and all is well, or until one failed: the last that began, and whether all is well."""
    change, resolved = None, False
    for n in range(fixes):
        if n:
            course.decide(n)
        if not course.begun(n):
            break
        until(lambda: course.look() and course.begun(n)["state"] in ("completed", "failed", "cancelled"), WORK_S)
        change = course.begun(n)
        if change["state"] != "completed":
            return change, False
        resolved = until(lambda: course.look() and course.settled() and w.healthy(), PROVE_S if n + 1 == fixes else SETTLE_S)
        if resolved and (n + 1 == fixes or not until(lambda: course.look() and not (course.settled() and w.healthy()), CALM_S)):
            break  # a leak that goes on comes back in the meantime
    return change, resolved


def one(w, fault):
    wanted, host = w.reference, hosts_of(fault)[0]
    if w.sh("before", fault["fault"], host).returncode == 0:
        time.sleep(5)  # the product sees it, and finds nothing wrong with it
        wanted = w.sh("sum").stdout
    course = Course(w, fault)
    before = w.sh("marks").stdout
    began = time.monotonic()
    result = dict(fault, rank=0, confidence=0, abstained=True, action="-", worked=False, why="", detected_s=None)
    if w.sh("inject", fault["fault"], host).returncode == 9:
        return dict(result, why="not injected", seconds=0)
    if not until(course.look, DETECT_S):
        return keep(w, course, dict(result, why="not detected", seconds=time.monotonic() - began))
    result["detected_s"] = round(time.monotonic() - began, 1)
    course.decide()
    change = course.begun()
    d = next((d for d in course.diagnoses if change and d["incident"] == change.get("incident")), None) or course.standing() or {}
    result.update(rank=suspects_rank(d, fault), confidence=d.get("confidence", 0), share=d.get("share") or d.get("confidence", 0), abstained=bool(d.get("abstained", True)), action=describe(change),
                  said=d.get("root_cause", ""), ground=(d.get("suspects") or [{}])[0].get("ground", ""), shares=[(s.get("service"), s.get("host"), s.get("component"), round(s.get("confidence", 0), 3)) for s in d.get("suspects", [])[:4]])
    passes, fixes = fault.get("repair") == "itself", max(1, len(repairs_of(fault)))
    if not change and not passes:
        return keep(w, course, dict(result, why="nothing was done", seconds=time.monotonic() - began))
    if change:
        last, resolved = see_through(w, course, fixes)
    else:
        last, resolved = None, until(lambda: course.look() and course.settled() and w.healthy(), PROVE_S)
    result["actions"] = [describe(course.begun(n)) for n in range(fixes + 1) if course.begun(n)]
    until(lambda: not w.sh("well").stdout, 6)
    ill = w.sh("well").stdout
    harmed = harm(w, fault, before, wanted)
    result["why"] = ("the change %s" % last["state"] if last and last["state"] != "completed" else "not resolved" if not resolved else
                     "visitors: " + "; ".join(ill.splitlines()) if ill else "; ".join(harmed) if harmed else
                     "took more than the first fix" if course.begun(fixes) else "")
    result["worked"] = not result["why"]
    return keep(w, course, dict(result, seconds=round(time.monotonic() - began, 1), harmed=harmed, ill=ill))


def keep(w, course, result):
    """All that the product recorded about a fault that was not mended, for whoever mends the product."""
    if w.evidence and not result["worked"]:
        course.look()
        logs = {}
        for file in sorted(f for host in hosts_of(result) for f in (w.dir / "services" / host / "logs").glob("*.log")):
            if "access" not in file.name:
                logs["%s/%s" % (file.parts[-3], file.name)] = file.read_bytes()[-2000:].decode(errors="replace").splitlines()[-15:]
        w.evidence.mkdir(parents=True, exist_ok=True)
        (w.evidence / ("%s-%s.json" % (result["fault"], result["host"]))).write_text(json.dumps(
            {"result": result, "health": w.api("health").get("items"), "changes": course.changes, "rollbacks": w.newest("rollback"), "incidents": getattr(course, "incidents", []),
             "diagnoses": course.diagnoses, "logs": logs}, indent=1, ensure_ascii=False))
    return result


def tidy(w, fault):
    """Back to the beginning, outside of the score."""
    w.sh("end")
    until(lambda: not any(r["state"] != "ended" for r in w.newest("rollback", 3)), 60)
    left = "code" in fault["component"].split(",") or fault["kind"] in ("disk", "sockets", "locks") or fault["fault"].startswith(("dead_tablespace", "files_"))
    everywhere = fault["kind"] in ("coincidence", "flags", "clock", "two", "cron", "leak")
    if not until(w.healthy, 3) or w.sh("sum").stdout != w.reference or left or everywhere:
        w.kedge("founder", "halt", "the bench puts the world back")
        hosts = set(hosts_of(fault))
        if "code" in fault["component"].split(",") or "records-db" in fault["service"].split(","):
            hosts.add("db-1")
        w.sh("restore", *(HOSTS if everywhere else sorted(hosts)))
        if not until(w.healthy, 20):
            w.sh("restore", *HOSTS)
            until(w.healthy, 20)
        w.kedge("founder", "resume", "the world is back")
    calm = lambda: w.healthy() and not any(i["state"] in OPEN for i in w.newest("incident"))
    if not until(calm, 60):
        sys.exit("faults: the world does not come to rest after %s" % fault["fault"])
    if w.sh("sum").stdout != w.reference:
        sys.exit("faults: the world is not as it was after %s" % fault["fault"])
    time.sleep(3)  # a round of comparisons: the next fault finds nothing different


def load(only, seed):
    """Set after set, each in an order of its own."""
    faults = []
    for line in (HERE / "faults.tsv").read_text().splitlines():
        if line and not line.startswith("#"):
            faults.append(dict(zip(("set", "kind", "fault", "host", "service", "component", "text", "repair"), line.split("\t"))))
    if only:
        faults = [f for f in faults if any(o in (f["set"], f["kind"], f["fault"]) for o in only)]
    random.Random(seed).shuffle(faults)
    sets = list(dict.fromkeys(line.split("\t")[0] for line in (HERE / "faults.tsv").read_text().splitlines()))
    return sorted(faults, key=lambda f: sets.index(f["set"]))


def main():
    p = argparse.ArgumentParser()
    p.add_argument("bin", type=pathlib.Path)
    p.add_argument("work", type=pathlib.Path)
    p.add_argument("--only", type=lambda s: s.split(","), default=[])
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--share", default="0/1", help="I/N: the I-th of N worlds")
    p.add_argument("--evidence", type=pathlib.Path)
    p.add_argument("--out", type=pathlib.Path, required=True)
    a = p.parse_args()
    part, parts = map(int, a.share.split("/"))
    faults = load(a.only, a.seed)[part::parts]
    a.work.mkdir(parents=True, exist_ok=True)
    with open(a.work / "bench.log", "a") as log, open(a.out, "a") as out:
        w = World(a.bin.resolve(), a.work.resolve(), log)
        w.evidence = a.evidence
        try:
            w.up()
            for n, fault in enumerate(faults):
                result = one(w, fault)
                print("%3d/%d %-5s %-28s %-6s rank %d conf %.2f  %4.0f s  %-34s %s" % (n + 1, len(faults), "ok" if result["worked"] else "NOT", fault["fault"], fault["host"],
                      result["rank"], result["confidence"], result["seconds"], result["action"], result["why"]), flush=True)
                out.write(json.dumps(result) + "\n")
                out.flush()
                if result["worked"]:
                    tidy(w, fault)
                elif n + 1 < len(faults):
                    w.anew()
        finally:
            w.sh("down")


if __name__ == "__main__":
    main()
