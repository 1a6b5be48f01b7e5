#!/usr/bin/python3
"""tests/e2e/cli.py BIN: `kedge` against a real controller on loopback, with real certificates and a real ssh-keygen.

Every noun lists on an empty store; an operator enrols with a token and gets exactly what a role allows; a change is approved by signature;
a policy signed by ssh-keygen is installed; the trail verifies; `kedge watch` shows what happens and goes on after a restart; every error has
its exit code and says what to do.  Exit 77: skipped.
"""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from world import BIN, DOMAIN, World, run

DONE, FAILED, USAGE, REFUSED, NOT_FOUND, UNREACHABLE = 0, 1, 2, 3, 4, 5
failures = []


def check(what, good, detail=""):
    if not good:
        failures.append(what)
        print("FAILED: %s\n%s" % (what, detail), flush=True)


class Cli:
    def __init__(self, world, file, identity, **changes):
        self.file = world.dir / (file + ".yaml")
        values = {"controller": "https://127.0.0.1:%d" % world.operators, "name": "main", "domain": DOMAIN, "authority": world.dir / "ca" / "authority.pem",
                  "certificate": identity / "cert.pem", "key": identity / "key.pem", **changes}
        self.file.write_text("".join("%s: \"%s\"\n" % pair for pair in values.items()))

    def __call__(self, *words, stdin=None):
        environment = {k: v for k, v in os.environ.items() if not k.startswith("KEDGE") and k != "XDG_CONFIG_HOME"}
        return subprocess.run([BIN / "kedge", "--config", self.file, *words], capture_output=True, text=True, timeout=60, input=stdin, env=environment)

    def ends(self, code, *words, says="", stdin=None):
        """The run, which must end with this code and say this."""
        done = self(*words, stdin=stdin)
        text = done.stdout + done.stderr
        check("kedge %s: exit %d" % (" ".join(map(str, words)), code), done.returncode == code and says in text, "exit %d: %s" % (done.returncode, text))
        return done


def every_list_on_an_empty_store(kedge):
    nouns = ["host", "service", "snapshot", "rollback", "order", "incident", "diagnosis", "pattern", "change", "policy", "audit", "notify", "operator", "ca"]
    for noun in nouns:
        kedge.ends(DONE, noun, "list")
        for form in ["wide", "yaml"]:
            kedge.ends(DONE, noun, "list", "-o", form)
        rows = json.loads(kedge.ends(DONE, noun, "list", "-o", "json").stdout)["items"]
        check("%s is empty" % noun, rows == [] or noun in ("audit", "operator"), rows)
    for table in ["placement", "health", "history", "metric", "maintenance", "drift", "timeline", "approval", "implementation", "validation", "restoration", "checkpoint", "controller"]:
        kedge.ends(DONE, "get", table)
    kedge.ends(DONE, "change", "policies")
    kedge.ends(DONE, "status", says="No host has joined yet")
    kedge.ends(DONE, "controller", "show", says="halted     no")
    kedge.ends(DONE, "audit", "verify", says="sound")


def things_that_are_not_there(kedge):
    for words in [("incident", "show", "INC-9"), ("rollback", "show", "RB-9"), ("change", "show", "CHG-9"), ("host", "show", "web-9"), ("service", "show", "none"),
                  ("operator", "show", "nobody"), ("policy", "show", "none"), ("audit", "show", "99999"), ("incident", "ack", "INC-9"), ("rollback", "cancel", "RB-9", "x"),
                  ("policy", "remove", "none"), ("snapshot", "verify", "snap-01m83k432jebyrfy16z23z0dgj")]:
        kedge.ends(NOT_FOUND, *words)
    kedge.ends(USAGE, "incident", "show", "no-id-at-all")
    kedge.ends(USAGE, "host", "list", "--where", "colour=red", says="colour")
    kedge.ends(USAGE, "host", "list", "--state", "sleepy", says="state")
    kedge.ends(USAGE, "frob", says="kedge --help")


def incidents(kedge):
    kedge.ends(DONE, "incident", "open", "portal", "logins", "fail", "--severity", "high")
    shown = json.loads(kedge.ends(DONE, "incident", "show", "INC-1", "-o", "json").stdout)
    check("the page has incident and timeline", shown["incident"]["severity"] == "high" and len(shown["timeline"]) >= 1, shown)
    kedge.ends(FAILED, "incident", "open", "portal", "again")
    kedge.ends(DONE, "incident", "ack", "INC-1")
    kedge.ends(DONE, "incident", "note", "INC-1", "called", "the", "provider")
    page = kedge.ends(DONE, "incident", "show", "INC-1", says="called the provider").stdout
    check("no colour without a terminal", "\033" not in page, page)
    kedge.ends(FAILED, "diagnosis", "confirm", "INC-1", says="kedge diagnosis correct")
    kedge.ends(DONE, "diagnosis", "correct", "INC-1", "a", "cable", "of", "the", "provider")
    kedge.ends(DONE, "incident", "resolve", "INC-1", "it", "healed")
    kedge.ends(DONE, "incident", "close", "INC-1", "nothing", "learnt")
    kedge.ends(FAILED, "incident", "ack", "INC-1")
    kedge.ends(DONE, "audit", "list", "--incident", "INC-1", says="incident.close")
    past = json.loads(kedge.ends(DONE, "knowledge", "history", "-o", "json").stdout)["items"]
    check("the verdict is history", [(p["verdict"], p["cause"], p["by"]) for p in past] == [("corrected", "a cable of the provider", "founder")], past)


def knowledge(kedge):
    entries = json.loads(kedge.ends(DONE, "knowledge", "list", "--all", "-o", "json").stdout)["items"]
    check("the shipped entries are there", len(entries) >= 80 and all(e["source"].startswith("https://") for e in entries), len(entries))
    kedge.ends(DONE, "knowledge", "list", "--where", "area=tls", says="tls-certificate-expired")
    kedge.ends(DONE, "knowledge", "show", "tls-certificate-expired", says="renewal failed")
    kedge.ends(NOT_FOUND, "knowledge", "show", "no-such-entry")


def brakes(kedge):
    kedge.ends(DONE, "halt", "wrong", "snapshot")
    kedge.ends(DONE, "status", says="HALTED")
    kedge.ends(DONE, "resume", "all", "clear")
    kedge.ends(DONE, "notify", "test")


def enrolment(world, kedge):
    token = kedge.ends(DONE, "ca", "token", "ada", "--role", "operator").stdout.strip()
    check("a token is one string", token.startswith("kedge1.enr-") and len(token.split(".")) == 4 and "\n" not in token, token)
    home = world.dir / "ada"
    join = ["ca", "join", "ada", "--token", token, "--authority", world.dir / "ca" / "authority.pem", "--out", home]
    run(BIN / "kedge", "ca", "init", "--dir", world.dir / "other", "--domain", DOMAIN)
    kedge.ends(REFUSED, *join[:5], "--authority", world.dir / "other" / "authority.pem", "--out", home, says="nothing was sent")
    kedge.ends(REFUSED, *join[:2], "eve", *join[3:], says="not valid for this name")  # somebody else's
    check("nothing is left of a refused join", not home.exists())
    kedge.ends(UNREACHABLE, *join, "--controller", "https://127.0.0.1:1", "--domain", DOMAIN)
    kedge.ends(REFUSED, *join, "--controller-name", "elsewhere", says="is not who it should be")
    check("nothing is left of a failed join", not home.exists())
    kedge.ends(DONE, *join)
    check("the key is ours alone", (home / "key.pem").stat().st_mode & 0o7777 == 0o600)
    kedge.ends(FAILED, *join, says="holds an identity already")
    kedge.ends(REFUSED, *join[:-1], world.dir / "ada2", says="not valid")  # a token works once
    kedge.ends(DONE, "ca", "verify", home / "cert.pem", "--dir", world.dir / "ca", says="operator/ada")
    kedge.ends(DONE, "ca", "list", says="ada")
    check("the store keeps no token's secret", token.split(".")[2] not in subprocess.run(["grep", "-r", "-a", "-o", token.split(".")[2], world.dir / "state"], capture_output=True, text=True).stdout)
    return Cli(world, "ada", home)


def disabled_while_watching(world, kedge, ada):
    with open(world.dir / "adas", "w") as out:
        watch = subprocess.Popen([BIN / "kedge", "--config", ada.file, "watch"], stdout=out, stderr=subprocess.DEVNULL)
    try:
        world.wait(lambda: kedge("incident", "open", "s%d" % time.monotonic_ns(), "seen").returncode == 0 and (world.dir / "adas").stat().st_size > 0, "an event")
        kedge.ends(DONE, "operator", "put", "ada", "--disable")
        check("who is disabled watches no more", watch.wait(10) == REFUSED, watch.returncode)
    finally:
        watch.kill()
        watch.wait()


def roles(world, kedge, ada):
    ada.ends(REFUSED, "status", says="ada may not read")  # a certificate alone is no permission
    ada.ends(REFUSED, "watch")
    kedge.ends(DONE, "operator", "put", "ada", "--role", "viewer")
    ada.ends(DONE, "status")
    ada.ends(REFUSED, "halt", "x", says="ada may not halt")
    kedge.ends(DONE, "operator", "put", "ada", "--role", "responder")
    ada.ends(DONE, "halt", "x")
    ada.ends(REFUSED, "resume", "x")
    kedge.ends(DONE, "resume", "x")
    kedge.ends(REFUSED, "operator", "put", "founder", "--role", "viewer")  # the last administrator
    disabled_while_watching(world, kedge, ada)
    ada.ends(REFUSED, "status")
    ada.ends(REFUSED, "watch")
    kedge.ends(DONE, "operator", "put", "ada", "--enable")
    ada.ends(DONE, "status")


def strangers(world, kedge):
    other = world.dir / "other-op"
    run(BIN / "kedge", "ca", "issue", "operator", "founder", "--dir", world.dir / "other", "--out", other)
    Cli(world, "foreign", other).ends(REFUSED, "status")
    Cli(world, "distrusting", world.dir / "op", authority=world.dir / "other" / "authority.pem").ends(REFUSED, "status")
    Cli(world, "elsewhere", world.dir / "op", name="elsewhere").ends(REFUSED, "status")
    host = world.dir / "a-host"
    run(BIN / "kedge", "ca", "issue", "host", "web-1", "--dir", world.dir / "ca", "--out", host)
    Cli(world, "host", host).ends(REFUSED, "status")
    Cli(world, "keyless", world.dir / "none").ends(FAILED, "status", says="none/cert.pem")
    Cli(world, "away", world.dir / "op", controller="https://127.0.0.1:1").ends(UNREACHABLE, "status", says="is the controller running")
    Cli(world, "plain", world.dir / "op", controller="http://127.0.0.1:%d" % world.operators).ends(USAGE, "status", says="https://")
    broken = Cli(world, "broken", world.dir / "op")
    broken.file.write_text("controler: x\n")
    broken.ends(FAILED, "status", says="broken.yaml:1")
    missing = Cli(world, "missing", world.dir / "op")
    missing.file.unlink()
    missing.ends(FAILED, "status", says="--config FILE")
    check("strangers are in the trail", world.audited("operators' port") or world.audited("refused"))


def checking(world):
    """`kedge-controller check` finds before a start what a start would end with."""
    def checked(file):
        return subprocess.run([BIN / "kedge-controller", "check", "--config", file], capture_output=True, text=True, timeout=20)
    good, other = world.dir / "controller.yaml", world.dir / "other-controller.yaml"
    check("the configuration that runs is in order", checked(good).returncode == DONE, checked(good).stderr)
    for was, now, says in (("domain: " + DOMAIN, "domain: other.kedge", "is the certificate of"), ("id/key.pem", "id/none.pem", "none.pem"),
                           ("issuing.key", "issuing.none", "issuing.none")):
        other.write_text(good.read_text().replace(was, now))
        done = checked(other)
        check("check finds %s" % now, done.returncode == FAILED and says in done.stderr, done.stdout + done.stderr)


def policies(world, kedge):
    key, policy = world.dir / "approval", world.dir / "night.yaml"
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "founder", "-f", key)
    kedge.ends(DONE, "operator", "put", "founder", "--public-key", str(key) + ".pub")
    policy.write_text("name: night\nservices: [ portal ]\ncomponents: [ config ]\nleast_severity: medium\nleast_confidence: 0.5\nmax_hosts: 1\nmax_per_hour: 6\n"
                      "cool_down: 1s\nexpires: %s\nreason: nights\n" % time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 86400)))
    kedge.ends(NOT_FOUND, "policy", "install", policy, says="ssh-keygen -Y sign")
    run("ssh-keygen", "-q", "-Y", "sign", "-f", key, "-n", "kedge-policy", policy)
    kedge.ends(DONE, "policy", "install", policy)
    kedge.ends(DONE, "policy", "list", says="night")
    policy.write_text(policy.read_text().replace("max_hosts: 1", "max_hosts: 9"))
    kedge.ends(REFUSED, "policy", "install", policy, says="edited after signing")
    kedge.ends(DONE, "policy", "remove", "night")


def watching(world, kedge):
    with open(world.dir / "watched", "w") as out:
        watch = subprocess.Popen([BIN / "kedge", "--config", kedge.file, "watch", "-o", "json"], stdout=out, stderr=subprocess.DEVNULL)
    try:
        lines = lambda: [json.loads(line) for line in (world.dir / "watched").read_text().splitlines()]
        world.wait(lambda: kedge("incident", "open", "s%d" % time.monotonic_ns(), "watched", "one").returncode == 0 and len(lines()) > 0, "an event")
        check("events are JSON lines", all({"at", "topic", "severity", "text"} <= set(e) for e in lines()), lines())
        check("the controller stops cleanly with a watcher", world.stop())
        world.start()
        kedge.ends(DONE, "incident", "open", "at-once", "before", "the", "watcher", "is", "back")
        world.wait(lambda: any("before the watcher is back" in e["text"] for e in lines()), "what happened before the watcher had come back")
    finally:
        watch.send_signal(signal.SIGINT)
        watch.wait(10)


def signing(world, kedge):
    """ssh-keygen itself, as `change approve` uses it: what cannot be signed is refused before anything is asked."""
    kedge.ends(NOT_FOUND, "change", "approve", "CHG-9", "--key", world.dir / "approval", "--yes")
    kedge.ends(USAGE, "change", "approve", "CHG-9", "--yes", says="--key")


def main():
    if not shutil.which("ssh-keygen"):
        print("no ssh-keygen here")
        sys.exit(77)
    with tempfile.TemporaryDirectory(prefix="kedge-test-") as folder:
        world = World(folder)
        try:
            kedge = Cli(world, "founder", world.dir / "op")
            every_list_on_an_empty_store(kedge)
            things_that_are_not_there(kedge)
            incidents(kedge)
            knowledge(kedge)
            brakes(kedge)
            ada = enrolment(world, kedge)
            roles(world, kedge, ada)
            strangers(world, kedge)
            checking(world)
            policies(world, kedge)
            signing(world, kedge)
            watching(world, kedge)
            kept = kedge.ends(DONE, "audit", "checkpoint", says=":").stdout.strip()
            kedge.ends(DONE, "audit", "verify", kept, says="sound")
            kedge.ends(FAILED, "audit", "verify", kept[:-1] + ("0" if kept[-1] != "0" else "1"), says="forked")
            kedge.ends(USAGE, "audit", "verify", "yesterday", says="SIZE:ROOT")
            kedge.ends(DONE, "audit", "verify", says="sound")
        finally:
            stopped = world.stop()
        check("the controller stops cleanly", stopped)
    if failures:
        sys.exit("%d checks failed" % len(failures))


main()
