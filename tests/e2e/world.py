"""tests/e2e/world.py: a real controller on loopback, with a real authority, for the tests beside it."""
import base64
import datetime
import json
import os
import pathlib
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.request

BIN = pathlib.Path(sys.argv[1])
DOMAIN = "e2e.kedge"
KNOWLEDGE = pathlib.Path(__file__).resolve().parents[2] / "packaging" / "knowledge"


def run(*argv, **more):
    done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, timeout=60, **more)
    if done.returncode != 0:
        sys.exit("%s failed: %s%s" % (argv[0], done.stdout, done.stderr))
    return done.stdout


failures = []


def check(name, ok, detail=""):
    """One line of what the test found; failures ends its run badly."""
    print("%-84s %s" % (name, "ok" if ok else "FAILED %s" % detail), flush=True)
    if not ok:
        failures.append(name)


def when(stamp):
    """Seconds since 1970 of a time as the API tells it."""
    return datetime.datetime.fromisoformat(stamp.replace("Z", "+00:00")).timestamp()


def watches(process, other):
    """Does it hold a descriptor of that other process, which tells it of the end?"""
    told = "Pid:\t%d\n" % other.pid
    for f in pathlib.Path("/proc/%d/fdinfo" % process.pid).iterdir():
        try:
            if told in f.read_text():
                return True
        except FileNotFoundError:  # closed meanwhile
            pass
    return False


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Kedge:
    """The command line of one operator of a world, whose identity lies in a folder of that name there."""

    def __init__(self, w, name="op"):
        self.file = w.dir / ("cli-%s.yaml" % name)
        self.file.write_text("controller: https://127.0.0.1:%d\nname: main\ndomain: %s\nauthority: %s/ca/authority.pem\ncertificate: %s/cert.pem\nkey: %s/key.pem\n"
                             % (w.operators, DOMAIN, w.dir, w.dir / name, w.dir / name))

    def __call__(self, *words, timeout=120):
        return subprocess.run([BIN / "kedge", "--config", self.file, *map(str, words)], capture_output=True, text=True, timeout=timeout)

    def json(self, *words):
        done = self(*words, "-o", "json")
        if done.returncode != 0:
            sys.exit("kedge %s: exit %d: %s" % (words, done.returncode, done.stderr))
        return json.loads(done.stdout)


class World:
    def __init__(self, folder, issuing=""):
        self.dir = pathlib.Path(folder)
        self.agents, self.operators = free_port(), free_port()
        run(BIN / "kedge", "ca", "init", "--dir", self.dir / "ca", "--domain", DOMAIN)
        run(BIN / "kedge", "ca", "issue", "controller", "main", "--dir", self.dir / "ca", "--address", "127.0.0.1", "--out", self.dir / "id")
        run(BIN / "kedge", "ca", "issue", "operator", "founder", "--dir", self.dir / "ca", "--out", self.dir / "op")
        (self.dir / "controller.yaml").write_text(
            "name: main\ndomain: %s\nstate_directory: %s/state\nagents: { listen: \"127.0.0.1:%d\" }\noperators: { listen: \"127.0.0.1:%d\" }\n"
            "identity: { certificate: %s/id/cert.pem, key: %s/id/key.pem, authority: %s/ca/authority.pem }\n"
            "issuing: { certificate: %s/ca/issuing.pem, key: %s/ca/issuing.key%s }\nadministrators: [ founder ]\nheartbeat: 1s\nproof: 10s\nbake: 200ms\nincident: { prove: 500ms }\n"
            "notify: { channels: { note: { kind: file, url: %s/notes.jsonl } } }\nknowledge: %s\n"
            % (DOMAIN, self.dir, self.agents, self.operators, *[self.dir] * 5, ", " + issuing if issuing else "", self.dir, KNOWLEDGE))
        self.start()

    def start(self):
        """Begin the controller (again) and wait until it is ready."""
        with open(self.dir / "controller.log", "a") as log:
            begun = log.tell()
            self.process = subprocess.Popen([BIN / "kedge-controller", "run", "--config", self.dir / "controller.yaml"], stderr=log)
        self.wait(lambda: "ready" in (self.dir / "controller.log").read_text()[begun:], "the controller")

    def stop(self):
        """True: it stopped cleanly."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20) == 0

    def operator(self, name):
        """An identity for one more operator."""
        run(BIN / "kedge", "ca", "issue", "operator", name, "--dir", self.dir / "ca", "--out", self.dir / name)

    def ssh_key(self, name):
        """A key to approve with: its path; the public half beside it, as ssh-keygen names it."""
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", self.dir / name)
        return self.dir / name

    def host(self, name, state):
        """A host's identity, made offline, in its state directory."""
        state.mkdir(parents=True, mode=0o700)
        run(BIN / "kedge", "ca", "issue", "host", name, "--dir", self.dir / "ca", "--out", state / "identity")
        (state / "identity/authority.pem").write_bytes((self.dir / "ca/authority.pem").read_bytes())

    def join_words(self, name, home):
        """What enrols a host with a one-time token, as a command."""
        token = self.api("ca/token", {"name": name, "role": "host"})
        fingerprint = run("openssl", "x509", "-in", self.dir / "ca/authority.pem", "-noout", "-fingerprint", "-sha256").strip().split("=")[1].replace(":", "").lower()
        return [BIN / "kedge-agent", "join", "--config", home / "agent.yaml", "--token", "kedge1.%s.%s.%s" % (token["enrolment"], token["secret"], fingerprint),
                "--authority", self.dir / "ca/authority.pem", "--controller", "https://127.0.0.1:%d" % self.operators]

    def agent_of(self, home):
        """Begin the agent whose agent.yaml lies there; it writes to agent.log beside it."""
        with open(home / "agent.log", "a") as log:
            return subprocess.Popen([BIN / "kedge-agent", "run", "--config", home / "agent.yaml"], stderr=log)

    def is_connected(self):
        """Some host is."""
        return any(h["state"] == "connected" for h in self.api("host")["items"])

    def install_policy(self, key, text):
        """A standing policy, signed."""
        policy = self.dir / "policy.yaml"
        policy.write_text(text)
        run("ssh-keygen", "-q", "-Y", "sign", "-f", key, "-n", "kedge-policy", policy)
        self.api("policy/install", {"document": base64.b64encode(policy.read_bytes()).decode(), "signatures": [(self.dir / "policy.yaml.sig").read_text()]})

    def wait(self, condition, what, seconds=15):
        until = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > until:
                sys.exit("waited in vain for %s\n%s" % (what, (self.dir / "controller.log").read_text()[-3000:]))
            time.sleep(0.05)

    def issue(self, name, uri, days=2, usage="clientAuth", at=None, ca=None):
        """A certificate by our issuing authority (or another one), as odd as wished."""
        folder = self.dir / "certs" / name
        folder.mkdir(parents=True)
        ca = ca or self.dir / "ca"
        run("openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", folder / "key.pem", "-out",
            folder / "csr.pem", "-subj", "/CN=" + name)
        (folder / "ext").write_text("basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=%s\nsubjectAltName=URI:%s\n"
                                    % (usage, uri))
        sign = ["openssl", "x509", "-req", "-in", folder / "csr.pem", "-CA", ca / "issuing.pem", "-CAkey", ca / "issuing.key", "-set_serial",
                str(int.from_bytes(os.urandom(8), "big") | 1 << 62), "-days", str(days), "-extfile", folder / "ext", "-out", folder / "leaf.pem"]
        run(*((["faketime", at] if at else []) + sign))
        (folder / "cert.pem").write_text((folder / "leaf.pem").read_text() + (ca / "issuing.pem").read_text())
        return folder

    def context(self, folder=None):
        c = ssl.create_default_context(cafile=str(self.dir / "ca" / "authority.pem"))
        c.check_hostname = False
        if folder:
            c.load_cert_chain(folder / "cert.pem", folder / "key.pem")
        return c

    def api(self, path, body=None):
        request = urllib.request.Request("https://127.0.0.1:%d/api/v1/%s" % (self.operators, path), data=None if body is None else json.dumps(body).encode())
        with urllib.request.urlopen(request, context=self.context(self.dir / "op"), timeout=10) as answer:
            return json.load(answer)

    def audited(self, text):
        return any(text in (e.get("text") or "") for e in self.api("audit?limit=1000&order=desc")["items"])
