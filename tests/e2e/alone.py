#!/usr/bin/python3
"""tests/e2e/alone.py BIN: a host that has nobody, in a network namespace where not even loopback is up: no controller, no network, no name is resolved.

By the real program: a restore point of a git work tree with a submodule and files that are served though nobody added them, of the configuration of an
nginx, and of data; what it says of itself; text diffs; a component and one path restored elsewhere; a configuration that the real `nginx -t` refuses is
refused while the service runs, one that it takes comes back; holds and retention, which only says what it would do; a sample read back, with the bound
that it stands for; emergencies while a prune stands still; drills; schedules of a keeper.  Exit 77: skipped.
"""
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

if os.environ.get("KEDGE_UNSHARED") != "1":
    if os.geteuid() != 0 or subprocess.run(["unshare", "-n", "true"], capture_output=True).returncode != 0:
        print("skipped: needs root and a network namespace of its own")
        sys.exit(77)
    os.execvpe("unshare", ["unshare", "-n", sys.executable] + sys.argv, dict(os.environ, KEDGE_UNSHARED="1"))

BIN = pathlib.Path(sys.argv[1]).resolve()
DONE, FAILED, REFUSED, PARTLY = 0, 1, 3, 6
failures = []


def check(what, ok, detail=""):
    print("%-90s %s" % (what, "ok" if ok else "FAILED %s" % (detail,)), flush=True)
    if not ok:
        failures.append(what)


def run(*argv, **more):
    done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, timeout=60, **more)
    if done.returncode != 0:
        sys.exit("%s failed: %s%s" % (argv, done.stdout, done.stderr))
    return done.stdout


class Host:
    def __init__(self, folder):
        self.dir = d = pathlib.Path(folder)
        self.site, self.conf, self.data, self.yaml = d / "site", d / "nginx", d / "data", d / "agent.yaml"
        self.conf.mkdir()
        self.data.mkdir()
        self.write_conf("good")
        (self.data / "rows").write_text("1\n2\n")
        self.make_site()
        (d / "SCHEMA").write_text("17\n")
        (d / "ctl").write_text("#!/bin/sh\ncase $1 in check) exec nginx -t -q -c %s/nginx.conf -g 'error_log stderr;' ;; *) echo $1 >>%s/log ;; esac\n" % (self.conf, d))
        (d / "ctl").chmod(0o755)
        self.yaml.write_text("""host: alone
state_directory: %(d)s/state
services:
  portal:
    components:
      config: { paths: [ %(d)s/nginx ] }
      code: { git: %(d)s/site }
      data: { paths: [ %(d)s/data ], schema: [ cat, %(d)s/SCHEMA ] }
    versions: { config_schema: { file: %(d)s/SCHEMA } }
    steps: { stop: [ %(d)s/ctl, stop ], start: [ %(d)s/ctl, start ], check: [ %(d)s/ctl, check ] }
    probes: [ { name: one, tier: shallow, every: 1s, timeout: 900ms, exec: [ /bin/true ] } ]
    snapshots: { every: 1h, drill_every: 1h, keep: { hourly: 1 } }
""" % {"d": d})

    def git(self, where, *words):
        return run("git", "-C", where, "-c", "user.name=t", "-c", "user.email=t@t", "-c", "protocol.file.allow=always", *words)

    def make_site(self):
        theme = self.dir / "origin"
        for tree, name, text in ((theme, "style.css", "one\n"), (self.site, "index.html", "first\n")):
            tree.mkdir()
            self.git(tree, "init", "-q", "-b", "main")
            (tree / name).write_text(text)
            self.git(tree, "add", ".")
            self.git(tree, "commit", "-q", "-m", "one")
        self.git(self.site, "submodule", "--quiet", "add", theme, "theme")
        self.git(self.site, "commit", "-q", "-a", "-m", "with a theme")
        (self.site / "uploads").mkdir()
        (self.site / "uploads/logo.svg").write_text("<svg/>\n")

    def deploy(self):
        """What somebody deploys: another commit, another commit of the submodule; and what was served without one is gone."""
        (self.site / "theme/style.css").write_text("two\n")
        self.git(self.site / "theme", "commit", "-q", "-a", "-m", "two")
        (self.site / "index.html").write_text("second\n")
        self.git(self.site, "commit", "-q", "-a", "-m", "second")
        self.git(self.site, "gc", "-q", "--prune=now")
        shutil.rmtree(self.site / "uploads")

    def about_site(self):
        """As git itself sees it."""
        return [self.git(self.site, *w) for w in (("rev-parse", "HEAD"), ("status", "--porcelain=v2", "--branch", "--untracked-files=all"), ("submodule", "status"),
                                                  ("fsck", "--no-dangling"))]

    def write_conf(self, text):
        good = "pid %s/nginx.pid;\nevents { }\nhttp { server { listen unix:%s/socket; root %s; } } # %s\n" % (self.dir, self.dir, self.site, text)
        (self.conf / "nginx.conf").write_text(good if text != "broken" else good.replace("server {", "sever {"))

    def agent(self, *words):
        return subprocess.run([str(BIN / "kedge-agent"), *map(str, words), "--config", str(self.yaml)], capture_output=True, text=True, timeout=60)

    def ends(self, code, *words, says=""):
        done = self.agent(*words)
        check("kedge-agent %s: exit %d" % (" ".join(map(str, words)), code), done.returncode == code and says in done.stdout + done.stderr,
              "%d %s%s" % (done.returncode, done.stdout, done.stderr))
        return done

    def told(self, *words):
        return json.loads(self.ends(DONE, *words, "-o", "json").stdout)

    def points(self):
        return [s["snapshot"] for s in json.loads(self.agent("snapshot", "list", "-o", "json").stdout)]


def code_comes_back(h):
    before = h.about_site()
    h.ends(DONE, "snapshot", "create", "portal")
    shown = h.told("snapshot", "show", "last")
    first = shown["snapshot"]
    code = next(c for c in shown["components"] if c["component"] == "code")
    versions = {v["name"]: v["value"] for v in shown["versions"]}
    check("one restore point of three levels, with the commit, both schemas and the agent's version",
          [c["component"] for c in shown["components"]] == ["config", "code", "data"] and code["version"] == before[0].strip() and not code.get("dirty") and
          versions.get("config_schema") == "17" and versions.get("data_schema") == "17" and shown["agent_version"], shown)
    h.deploy()
    check("git sees another commit", h.about_site()[0] != before[0])
    h.ends(DONE, "rollback", "start", "portal", "--to", first, "--component", "code")
    check("the commit, the submodule's, and what was served without one are back, as git itself sees it", h.about_site() == before, h.about_site())
    check("byte for byte", (h.site / "theme/style.css").read_text() == "one\n" and (h.site / "uploads/logo.svg").read_text() == "<svg/>\n")
    (h.site / "theme/style.css").write_text("by hand\n")
    h.ends(DONE, "snapshot", "create", "portal")
    shown = h.told("snapshot", "show", "last")
    check("what was changed by hand in a submodule is told", next(c for c in shown["components"] if c["component"] == "code").get("dirty"), shown)
    h.ends(DONE, "rollback", "start", "portal", "--to", first, "--component", "code")
    return first


def looked_into(h, first):
    h.write_conf("edited")
    diff = h.ends(DONE, "snapshot", "diff", first, "--text").stdout
    check("a text diff with what is there now", re.search(r"^-.*# good$", diff, re.M) and re.search(r"^\+.*# edited$", diff, re.M), diff)
    h.ends(DONE, "snapshot", "create", "portal")
    second = h.told("snapshot", "show", "last")["snapshot"]
    diff = h.ends(DONE, "snapshot", "diff", first, second, "--text", "--component", "config").stdout
    check("and between two restore points", re.search(r"^-.*# good$", diff, re.M) and re.search(r"^\+.*# edited$", diff, re.M) and "index.html" not in diff, diff)
    h.ends(DONE, "restore", first, "--into", h.dir / "look", "--component", "config")
    there = pathlib.Path(str(h.dir / "look") + str(h.conf))
    check("a component, elsewhere", "# good" in (there / "nginx.conf").read_text() and not pathlib.Path(str(h.dir / "look") + str(h.data)).exists())
    h.ends(DONE, "restore", first, "--into", h.dir / "one", h.site / "uploads/logo.svg")
    files = [p for p in (h.dir / "one").rglob("*") if p.is_file()]
    check("one path, elsewhere", [p.read_text() for p in files] == ["<svg/>\n"] and files[0].name == "logo.svg", files)
    proof = h.told("snapshot", "verify", first, "--sample")
    check("a sample says what it is worth", proof["sample"] and "99 % sure that fewer than 0.1 %" in h.ends(DONE, "snapshot", "verify", first, "--sample").stdout, proof)
    check("all of it is read back", (lambda p: p["chunks"] == p["chunks_total"])(h.told("snapshot", "verify", first)))
    return second


def its_own_checker(h, first):
    h.write_conf("broken")
    h.ends(DONE, "snapshot", "create", "portal")
    broken = h.told("snapshot", "show", "last")["snapshot"]
    h.write_conf("running")
    (h.dir / "log").write_text("")
    done = h.ends(REFUSED, "rollback", "start", "portal", "--to", broken, "--component", "config", says="sever")
    check("what nginx -t refuses is never put in place, and nothing was stopped", "# running" in (h.conf / "nginx.conf").read_text() and
          not (h.dir / "log").read_text(), done.stdout)
    h.ends(DONE, "rollback", "start", "portal", "--to", first, "--component", "config")
    check("what it takes comes back", "# good" in (h.conf / "nginx.conf").read_text() and (h.dir / "log").read_text().split() == ["stop", "start"])


def retention(h, first, second):
    h.ends(DONE, "snapshot", "hold", first, "--reason", "legal")
    h.ends(DONE, "snapshot", "verify", second)
    before = h.points()
    would = h.told("snapshot", "prune")
    check("retention only says what it would do", not would["applied"] and would["removed"] and h.points() == before, would)
    check("what is held, verified or newest is not among it", not {first, second, before[0]} & set(would["removed"]), would)
    h.ends(DONE, "snapshot", "prune", "--apply")
    check("asked to, it does that", sorted(h.points() + would["removed"]) == sorted(before), h.points())
    h.ends(DONE, "snapshot", "verify", first)


def an_emergency(h):
    """While a prune stands still with its lock in its hand."""
    prune = subprocess.Popen(["strace", "-f", "-o", "/dev/null", "-e", "trace=flock", "-e", "inject=flock:signal=STOP:when=1", str(BIN / "kedge-agent"), "snapshot", "prune", "--apply",
                              "--config", str(h.yaml)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        until = time.monotonic() + 20
        stopped = lambda: [p for p in pathlib.Path("/proc").glob("[0-9]*") if is_stopped(p, "kedge-agent")]
        while not stopped() and time.monotonic() < until and prune.poll() is None:
            time.sleep(0.01)
        check("a prune stands still", stopped())
        began = time.monotonic()
        h.ends(DONE, "snapshot", "create", "portal", "--emergency")
        check("an emergency does not wait for it (%.2f s)" % (time.monotonic() - began), time.monotonic() - began < 10)
    finally:
        for p in stopped():
            os.kill(int(p.name), signal.SIGCONT)
        prune.wait(60)
    check("nor does it become what one goes back to", h.told("snapshot", "show", "last")["reason"] != "emergency")


def is_stopped(p, name):
    try:
        stat = (p / "stat").read_text()
        return stat.split("(", 1)[1].startswith(name) and stat.rsplit(")", 1)[1].split()[0] in "Tt" and os.readlink(p / "exe").startswith(str(BIN))
    except OSError:
        return False


def by_schedule(h):
    before = h.points()
    log = open(h.dir / "keeper.log", "w")
    keeper = subprocess.Popen([str(BIN / "kedge-agent"), "run", "--config", str(h.yaml)], stdout=log, stderr=log, cwd="/")
    try:
        until = time.monotonic() + 40
        while h.points() == before and time.monotonic() < until and keeper.poll() is None:
            time.sleep(0.1)
        check("the keeper takes one by schedule", len(h.points()) == len(before) + 1 and h.told("snapshot", "show", "last")["reason"] == "scheduled", (h.dir / "keeper.log").read_text())
    finally:
        keeper.terminate()
        check("and ends when it is asked to", keeper.wait(60) == 0)
        log.close()
    h.ends(DONE, "snapshot", "drill", "portal")
    board = h.told("status")[0]
    check("the board of this host: what would be lost, how long it takes, and that it was practised", "rpo_ms" in board and "rto_ms" in board and board.get("drill_ok"), board)


def main():
    for program in ("nginx", "git", "strace"):
        if not shutil.which(program):
            print("skipped: %s is not installed" % program)
            return 77
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        check("there is no network at all", s.connect_ex(("127.0.0.1", 9)) != 0 and [n for _, n in socket.if_nameindex()] == ["lo"], socket.if_nameindex())
    with tempfile.TemporaryDirectory(prefix="kedge-alone-") as folder:
        h = Host(folder)
        first = code_comes_back(h)
        second = looked_into(h, first)
        its_own_checker(h, first)
        retention(h, first, second)
        an_emergency(h)
        by_schedule(h)
    print("failed: " + ", ".join(failures) if failures else "all of it, alone")
    return 1 if failures else 0


sys.exit(main())
