#!/usr/bin/python3
"""tests/e2e/lifecycle.py BIN: enrolment, renewal over the live connection, a second instance, backup and restore, clean stops.  Real programs."""
import os
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.error

from world import BIN, DOMAIN, Kedge, World, check, failures, run

class Manager:
    """What a service manager hears over NOTIFY_SOCKET (sd_notify(3))."""

    def __init__(self, folder):
        path = folder + "/notify"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        self.socket.settimeout(30)
        os.environ["NOTIFY_SOCKET"] = path

    def hears(self, word):
        try:
            while word not in self.socket.recv(4096).decode():
                pass
            return True
        except OSError:
            return False

SHORT_LIFE = ", host_life: 60s"


def enrol(w):
    (w.dir / "tree").mkdir()
    (w.dir / "tree" / "note").write_text("good\n")
    os.chmod(w.dir, 0o755)
    (w.dir / "agent.yaml").write_text(
        "host: web-1\ndomain: %s\nstate_directory: %s/agent\nuser: nobody\ncontroller: { url: \"wss://127.0.0.1:%d\", name: main }\n"
        "services:\n  notes:\n    components: { config: { paths: [ %s/tree ] } }\n"
        "    probes: [ { name: note, every: 1s, timeout: 900ms, age: { path: %s/tree/note, warn: 30d, critical: 60d } } ]\n"
        % (DOMAIN, w.dir, w.agents, w.dir, w.dir))
    join = w.join_words("web-1", w.dir)
    run(*join)
    key = w.dir / "agent/identity/key.pem"
    check("the host's key is made on the host, 0600", key.exists() and key.stat().st_mode & 0o777 == 0o600)
    (w.dir / "agent/identity").rename(w.dir / "kept")
    again = subprocess.run([str(a) for a in join], capture_output=True, text=True, timeout=30)
    check("a token works once", again.returncode != 0 and not (w.dir / "agent/identity").exists())
    (w.dir / "kept").rename(w.dir / "agent/identity")


def serial(w):
    return run("openssl", "x509", "-in", w.dir / "agent/identity/cert.pem", "-noout", "-serial").strip()


def halves(w):
    """The link is a program of its own without power, and nothing of the network is in the keeper."""
    children = open("/proc/%d/task/%d/children" % (w.agent.pid, w.agent.pid)).read().split()
    links = [c for c in children if open("/proc/%s/comm" % c).read().strip() == "kedge-link"]
    check("the link is one process, a program of its own", len(links) == 1)
    if len(links) != 1:
        return
    status = dict(line.split(":", 1) for line in open("/proc/%s/status" % links[0]).read().splitlines())
    check("it can gain no privilege and makes listed system calls only", status["NoNewPrivs"].strip() == "1" and status["Seccomp"].strip() == "2")
    libraries = [name for name in ("libwebsockets", "libuv", "liblmdb", "libsystemd") if name in open("/proc/%d/maps" % w.agent.pid).read()]
    check("the keeper has no library of the network%s" % "".join(" but " + name for name in libraries), not libraries)
    if os.geteuid() != 0:
        return
    check("it is not root and has no capability", status["Uid"].split() == [status["Uid"].split()[0]] * 4 and status["Uid"].split()[0] != "0" and
          int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0)
    files = [os.readlink("/proc/%s/fd/%s" % (links[0], f)) for f in os.listdir("/proc/%s/fd" % links[0]) if int(f) > 2]
    own = [f for f in files if f.startswith("/") and "/agent/spool" not in f and f != "/dev/urandom"]
    check("beyond its output it has its spool open, and no other file%s" % "".join(" but " + f for f in own), not own)


def agent(w):
    first = serial(w)
    check("the controller says when it is ready", w.manager.hears("READY=1"))
    w.agent = w.agent_of(w.dir)
    check("the agent says when it is ready", w.manager.hears("READY=1"))
    w.wait(w.is_connected, "the agent")
    check("an enrolled agent connects", True)
    halves(w)
    second = subprocess.run([BIN / "kedge-agent", "run", "--config", w.dir / "agent.yaml"], capture_output=True, text=True, timeout=30)
    check("a second agent on the same state is refused, by name of the first", second.returncode != 0 and str(w.agent.pid) in second.stderr)
    second = subprocess.run([BIN / "kedge-controller", "run", "--config", w.dir / "controller.yaml"], capture_output=True, text=True, timeout=30)
    check("a second controller too", second.returncode != 0 and str(w.process.pid) in second.stderr)
    # Its certificate lives so short here that two thirds of its life are over at once.
    w.wait(lambda: serial(w) != first, "a renewed certificate", 100)
    check("the certificate is renewed over the live connection", "a new certificate is in use" in (w.dir / "agent.log").read_text())
    w.wait(w.is_connected, "the agent, renewed")
    issued = [c for c in w.api("ca?limit=100")["items"] if c.get("name") == "web-1"]
    check("every certificate stands in the controller's list", len(issued) >= 2)


def lasts(w):
    return subprocess.run(["openssl", "x509", "-in", w.dir / "agent/identity/cert.pem", "-noout", "-checkend", "3600"], capture_output=True).returncode == 0


def settle(w):
    """From here on the agent is connected with a certificate that it will not renew: one that is renewed meanwhile is not among those revoked."""
    w.wait(lambda: lasts(w), "a certificate that lasts", 60)
    w.agent.send_signal(signal.SIGTERM)
    w.agent.wait(90)
    w.wait(lambda: not w.is_connected(), "the end of the agent's connection", 30)
    w.agent = w.agent_of(w.dir)
    w.wait(w.is_connected, "the agent with a certificate that lasts", 60)


def revoke(w):
    """By its file: a new store does not know every certificate (and one may have been renewed this moment: those that it knows, too)."""
    founder = Kedge(w)
    settle(w)
    for which in [w.dir / "agent/identity/cert.pem"] + [c["serial"] for c in w.api("ca?limit=100")["items"] if c.get("name") == "web-1"]:
        run(BIN / "kedge", "--config", founder.file, "ca", "revoke", which, "e2e")
    w.wait(lambda: not w.is_connected(), "the end of the revoked connection", 15)
    check("revoking its certificate ends its live connection", True)
    w.wait(lambda: "revoked" in (w.dir / "controller.log").read_text(), "the refusal at the next handshake", 30)
    check("and the next handshake is refused", True)


def restore(w):
    run(BIN / "kedge-controller", "backup", "--config", w.dir / "controller.yaml", w.dir / "backup")
    check("a backup is taken while the controller runs", (w.dir / "backup").is_dir())
    check("SIGTERM ends the controller cleanly, and it says so", w.stop() and w.manager.hears("STOPPING=1"))
    (w.dir / "state").rename(w.dir / "lost")
    run(BIN / "kedge-controller", "restore", "--config", w.dir / "controller.yaml", w.dir / "backup")
    w.start()
    check("a restored controller only observes", w.api("status")["observing"])
    try:
        w.api("snapshot/create", {"service": "notes", "host": "web-1"})
        commanded = True
    except urllib.error.HTTPError as e:
        commanded = e.code != 409
    check("and commands nothing", not commanded)
    epoch = w.api("status")["epoch"]
    w.api("controller/confirm", {"text": "e2e"})
    status = w.api("status")
    check("until an operator confirms, which raises the epoch", not status["observing"] and status["epoch"] > epoch)
    check("its audit trail is sound", w.api("audit/verify")["problem"] == "sound")


def ordered(w):
    """A snapshot order's outcome, once it has ended."""
    order = w.api("snapshot/create", {"service": "notes", "host": "web-1"})["order_id"]
    last = lambda: w.api("order/" + order)
    w.wait(lambda: last().get("outcome", "open") != "open", "the end of an order", 60)
    return last()["outcome"]


def empty_store(w):
    """All is lost but the authority: hosts have obeyed a later epoch than a new store begins with."""
    check("an order is obeyed, with its epoch", ordered(w) == "ok")
    check("SIGTERM again", w.stop())
    (w.dir / "state").rename(w.dir / "lost-too")
    config = w.dir / "controller.yaml"
    config.write_text(config.read_text().replace(SHORT_LIFE, ""))  # what it renews from here on lives long
    w.start()
    w.wait(lambda: w.api("status")["ahead"] == 1, "the host that has obeyed more", 60)
    check("a host that obeyed another epoch refuses an empty store's orders", ordered(w) == "refused")
    w.api("controller/confirm", {"text": "e2e: the store was lost"})
    check("until an operator confirms", w.api("status")["ahead"] == 0 and ordered(w) == "ok")


def main():
    if os.geteuid() != 0:
        print("skipped: needs root")
        sys.exit(77)
    with tempfile.TemporaryDirectory(prefix="kedge-life.", dir="/tmp") as folder:
        manager = Manager(folder)
        w = World(folder, SHORT_LIFE[2:])
        w.manager = manager
        try:
            enrol(w)
            agent(w)
            restore(w)
            empty_store(w)
            revoke(w)
            w.agent.send_signal(signal.SIGTERM)
            check("SIGTERM ends the agent cleanly", w.agent.wait(90) == 0)
        finally:
            for p in (getattr(w, "agent", None), w.process):
                if p and p.poll() is None:
                    p.send_signal(signal.SIGTERM)
                    p.wait(90)
    sys.exit("failed: " + ", ".join(failures) if failures else 0)


main()
