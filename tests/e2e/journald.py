#!/usr/bin/python3
"""tests/e2e/journald.py BIN: the lines of a unit, out of a journal in systemd's own format.

systemd-journal-remote writes the files, the agent reads them through libsystemd: only its unit's lines, only what came since it follows them,
redacted; after a restart it goes on where it was.  The journal lies on a tmpfs in a mount namespace of its own.  Exit 77: skipped.
"""
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

WRITER = "/lib/systemd/systemd-journal-remote"
if os.environ.get("KEDGE_UNSHARED") != "1":
    if os.geteuid() != 0 or not os.path.exists(WRITER) or not os.path.exists("/etc/machine-id") or subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode != 0:
        print("skipped: needs root, a mount namespace of its own, /etc/machine-id and the package systemd-journal-remote")
        sys.exit(77)
    os.execvpe("unshare", ["unshare", "-m", "--propagation", "private", sys.executable] + sys.argv, dict(os.environ, KEDGE_UNSHARED="1"))

from world import DOMAIN, World, check, failures, run

JOURNAL = pathlib.Path("/run/log/journal") / pathlib.Path("/etc/machine-id").read_text().strip()


def write(unit, *lines):
    now = int(time.time() * 1e6)
    text = "".join("__REALTIME_TIMESTAMP=%d\n__MONOTONIC_TIMESTAMP=%d\n_BOOT_ID=%s\nPRIORITY=3\n_SYSTEMD_UNIT=%s\n_MACHINE_ID=%s\nMESSAGE=%s\n\n"
                   % (now + i, now + i, "0123456789abcdef0123456789abcdef", unit, JOURNAL.name, line) for i, line in enumerate(lines))
    done = subprocess.run([WRITER, "-o", str(JOURNAL / "system.journal"), "-"], input=text, capture_output=True, text=True, timeout=30)
    if done.returncode != 0:
        sys.exit("systemd-journal-remote: " + done.stderr)


def patterns(w):
    return {p["template_text"]: p for p in w.api("pattern?limit=1000")["items"]}


def start_agent(w):
    w.agent = w.agent_of(w.dir)
    w.wait(lambda: (w.dir / "agent.log").read_text().count("ready: host") > w.begun, "the agent")
    w.begun += 1
    w.wait(w.is_connected, "its connection", 60)


def set_up(w):
    os.chmod(w.dir, 0o755)
    (w.dir / "tree").mkdir()
    w.host("web-1", w.dir / "agent/state")
    (w.dir / "agent.yaml").write_text(
        "host: web-1\ndomain: %s\nstate_directory: %s/agent/state\nuser: nobody\ncontroller: { url: \"wss://127.0.0.1:%d\", name: main }\n"
        "services:\n  shop:\n    components: { config: { paths: [ %s/tree ] } }\n    logs: [ { journal: shop.service } ]\n" % (DOMAIN, w.dir, w.agents, w.dir))
    w.begun = 0


def main():
    with tempfile.TemporaryDirectory(prefix="kedge-journal.", dir="/tmp") as folder:
        pathlib.Path("/run/log").mkdir(exist_ok=True)
        run("mount", "-t", "tmpfs", "none", "/run/log")
        JOURNAL.mkdir(parents=True)
        w = World(folder)
        try:
            set_up(w)
            write("shop.service", "error: this was before anybody looked")
            start_agent(w)
            write("shop.service", "error: cannot reach upstream 10.1.2.3 for jane.doe@example.org", "error: cannot reach upstream 10.1.2.9 for john@example.org")
            write("other.service", "error: not of this service")
            w.wait(lambda: any("cannot reach upstream" in t for t in patterns(w)), "the lines of the unit", 60)
            seen = patterns(w)
            check("lines of the unit are mined", any(p["count"] == 2 for t, p in seen.items() if "cannot reach upstream" in t))
            check("redacted", not any("@" in t + (p.get("sample") or "") for t, p in seen.items()))
            check("and no others", not any("not of this service" in t or "before anybody" in t for t in seen))
            w.agent.send_signal(signal.SIGTERM)
            check("SIGTERM ends the agent cleanly", w.agent.wait(90) == 0)
            write("shop.service", "fatal: said while the agent was down")
            start_agent(w)
            w.wait(lambda: any("while the agent was down" in t for t in patterns(w)), "what was said meanwhile", 60)
            seen = patterns(w)
            check("after a restart it goes on where it was", sum(p["count"] for t, p in seen.items() if "cannot reach upstream" in t) == 2)
            w.agent.send_signal(signal.SIGTERM)
            check("and ends cleanly again", w.agent.wait(90) == 0)
        finally:
            if getattr(w, "agent", None) and w.agent.poll() is None:
                w.agent.kill()
                w.agent.wait()
            w.stop()
            run("umount", "/run/log")
    sys.exit(1 if failures else 0)


main()
