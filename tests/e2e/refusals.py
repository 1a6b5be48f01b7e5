#!/usr/bin/python3
"""tests/e2e/refusals.py BIN: who must not get in does not get in, and the audit trail says so.

A real controller on loopback with a real authority.  Each bad peer of the list is refused with its reason in the log and an entry in the
audit trail; malformed, oversized, unknown and mismatched frames end their own connection and disturb nobody else; a certificate that is
revoked ends its live connection; wrong tokens are tried so often and no more.  Exit 77: skipped.
"""
import base64
import http.client
import json
import os
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request

from world import BIN, DOMAIN, World, run

TRIES = 20  # STRANGERS_TRIES
ATTEMPTS = 60  # more than two minutes' budgets, whenever a minute ends
failures = []


class Socket:
    """A websocket client of thirty lines: binary frames, masked, whole."""

    def __init__(self, world, port, folder):
        raw = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.tls = world.context(folder).wrap_socket(raw)
        key = base64.b64encode(os.urandom(16)).decode()
        self.tls.sendall(("GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: %s\r\n"
                          "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: kedge.agent.v1\r\n\r\n" % key).encode())
        head = b""
        while b"\r\n\r\n" not in head:
            piece = self.tls.recv(4096)
            if not piece:
                raise ConnectionError("closed during the upgrade")
            head += piece
        if b" 101 " not in head:
            raise ConnectionError(head.split(b"\r\n")[0].decode())

    def send(self, payload, opcode=2):
        n = len(payload)
        size = struct.pack("!B", 0x80 | n) if n < 126 else struct.pack("!BH", 0xFE, n) if n < 65536 else struct.pack("!BQ", 0xFF, n)
        self.tls.sendall(bytes([0x80 | opcode]) + size + b"\0\0\0\0" + payload)

    def is_open(self):
        self.tls.settimeout(0.2)
        try:
            while self.tls.recv(4096):
                pass
            return False
        except socket.timeout:
            return True
        except OSError:
            return False

    def until_closed(self, seconds=10):
        """Everything that came, until the other side closed."""
        self.tls.settimeout(seconds)
        got = b""
        try:
            while True:
                piece = self.tls.recv(4096)
                if not piece:
                    return got
                got += piece
        except (ConnectionError, ssl.SSLError):
            return got
        except socket.timeout:
            return None


def pack(value):
    """msgpack, as much of it as a hello needs."""
    if isinstance(value, dict):
        return bytes([0x80 | len(value)]) + b"".join(pack(k) + pack(v) for k, v in value.items())
    if isinstance(value, bool):
        return b"\xc3" if value else b"\xc2"
    if isinstance(value, int):
        return b"\xcf" + struct.pack("!Q", value)
    if isinstance(value, bytes):
        return b"\xc4" + bytes([len(value)]) + value
    if isinstance(value, str):
        raw = value.encode()
        return b"\xd9" + bytes([len(raw)]) + raw
    raise TypeError(value)


def hello(host):
    return pack({"type": "hello", "hello": {"version": 1, "version_least": 1, "agent_version": "e2e", "host": host, "boot": os.urandom(16),
                                            "clock_ms": int(time.time() * 1000)}})


def notice(text):
    return pack({"type": "report", "report": {"sequence": 1, "at_ms": int(time.time() * 1000), "importance": "event",
                                              "notice": {"severity": "low", "what": "e2e-notice", "text": text}}})


def check(world, name, ok, audit=None):
    if ok and audit:
        until = time.monotonic() + 5
        while not world.audited(audit) and time.monotonic() < until:
            time.sleep(0.1)
        ok = world.audited(audit)
    print("%-62s %s" % (name, "ok" if ok else "FAILED"), flush=True)
    if not ok:
        failures.append(name)


def is_refused(world, port, folder):
    try:
        return Socket(world, port, folder).until_closed(3) is not None
    except (ConnectionError, ssl.SSLError, OSError):
        return True


def certificates(w):
    uri = "spiffe://%s/host/" % DOMAIN
    good = w.issue("web-1", uri + "web-1")
    check(w, "a good host gets in", not is_refused(w, w.agents, good))
    check(w, "no certificate", is_refused(w, w.agents, None), "no certificate")
    other = w.dir / "other"
    run(BIN / "kedge", "ca", "init", "--dir", other, "--domain", DOMAIN)
    check(w, "wrong authority", is_refused(w, w.agents, w.issue("foreign", uri + "foreign", ca=other)), "not issued by an authority of ours")
    check(w, "expired", is_refused(w, w.agents, w.issue("old", uri + "old", days=1, at="-3 days")), "has expired")
    check(w, "not yet valid", is_refused(w, w.agents, w.issue("early", uri + "early", at="+1 day")), "not valid yet")
    check(w, "operator's certificate on the agents' port", is_refused(w, w.agents, w.dir / "op"), "may not use this port")
    check(w, "another domain", is_refused(w, w.agents, w.issue("alien", "spiffe://other.kedge/host/alien")), "agents' port")
    check(w, "a server's certificate as a client", is_refused(w, w.agents, w.issue("server", uri + "server", usage="serverAuth")), "not for this end")
    try:
        request = urllib.request.urlopen("https://127.0.0.1:%d/api/v1/status" % w.operators, context=w.context(good), timeout=5)
        refused = request.status != 200
    except OSError:
        refused = True
    check(w, "host's certificate on the operators' port", refused, "operators' port: host web-1")
    return good


def tickets(w, good):
    """TLS 1.3 resumption would skip the client's certificate: no ticket is ever issued, and a made-up one is not honoured."""
    script = "openssl s_client -connect 127.0.0.1:%d -cert %s/cert.pem -key %s/key.pem -CAfile %s/ca/authority.pem -sess_out %s/session </dev/null" % (
        w.agents, good, good, w.dir, w.dir)
    subprocess.run(script.split(" </dev/null")[0].split(), stdin=subprocess.DEVNULL, capture_output=True, timeout=20)
    session = w.dir / "session"
    if session.exists():
        done = subprocess.run(["openssl", "s_client", "-connect", "127.0.0.1:%d" % w.agents, "-sess_in", str(session), "-CAfile", str(w.dir / "ca/authority.pem")],
                              input="GET / HTTP/1.1\r\n\r\n", capture_output=True, text=True, timeout=20)
        check(w, "a replayed ticket without a certificate", "Reused" not in done.stdout, "no certificate")
    else:
        check(w, "no TLS ticket is issued", True)


def frames(w, good):
    steady = Socket(w, w.agents, w.issue("steady", "spiffe://%s/host/steady" % DOMAIN))
    steady.send(hello("steady"))
    s = Socket(w, w.agents, good)
    s.send(hello("somebody-else"))
    check(w, "a hello that names another host", s.until_closed() is not None, "names another host than the certificate")
    for name, payload, said in (("malformed bytes", b"\xc1\xff\x00", "malformed"), ("an unknown type", pack({"type": "dance"}), "unknown_type"),
                                ("a frame that only controllers send", pack({"type": "ack", "ack": {"sequence": 1}}), "out_of_order"),
                                ("a frame without its body", pack({"type": "hello"}), "malformed"),
                                ("a wrong enum", pack({"type": "report", "report": {"sequence": 1, "at_ms": 1, "importance": "huge"}}), "malformed")):
        s = Socket(w, w.agents, good)
        s.send(payload)
        check(w, name, s.until_closed() is not None, said + " from")
    s = Socket(w, w.agents, good)
    try:
        s.send(b"\0" * ((1 << 20) + 1))
        closed = s.until_closed() is not None
    except OSError:
        closed = True
    check(w, "an oversized frame", closed, "above the limit")
    s = Socket(w, w.agents, good)
    s.send(b"hello", opcode=1)
    check(w, "a text frame", s.until_closed() is not None, "only binary messages")
    check(w, "the neighbour is still connected", steady.is_open())
    return steady


def identifiers(w):
    """A keeper redacts what it reports; one that did not is not believed: the controller does it again at its door."""
    s = Socket(w, w.agents, w.issue("teller", "spiffe://%s/host/teller" % DOMAIN))
    s.send(hello("teller"))
    s.send(notice("restore failed for jane.doe@example.org ssn 078-05-1120"))
    check(w, "identifiers in a report are redacted at the door", s.is_open(), "restore failed for [EMAIL] ssn [SSN]")
    check(w, "and kept nowhere", not w.audited("jane.doe") and b"078-05-1120" not in b"".join(p.read_bytes() for p in (w.dir / "state").rglob("*") if p.is_file()))


def revocation(w, steady):
    w.api("host/revoke", {"host": "steady", "text": "e2e"})
    # The certificate was made by openssl, not by the controller: revoke it by its serial too.
    serial = run("openssl", "x509", "-in", w.dir / "certs/steady/leaf.pem", "-noout", "-serial").strip().split("=")[1].lower()
    check(w, "a revoked host's live connection ends", steady.until_closed() is not None)
    s = Socket(w, w.agents, w.dir / "certs/steady")
    s.send(hello("steady"))
    check(w, "and a new one is refused (%s)" % serial[:8], s.until_closed() is not None)


def enrolling(w):
    """Whoever reaches the operators' port may try tokens, and each wrong one is written down: not without end."""
    token = w.api("ca/token", {"name": "late", "role": "host"})
    wrong = json.dumps({"enrolment": token["enrolment"], "secret": "00" * 32, "name": "late", "role": "host", "csr": "x"})
    status = []
    stranger = http.client.HTTPSConnection("127.0.0.1", w.operators, context=w.context(), timeout=10)
    for _ in range(ATTEMPTS):
        stranger.request("POST", "/api/v1/ca/enrol", wrong)
        answer = stranger.getresponse()
        answer.read()
        status.append(answer.status)
    kept = [e for e in w.api("audit?limit=1000&order=desc")["items"] if e["action"] == "enrolment.redeem"]
    check(w, "wrong tokens are refused", set(status[:TRIES]) == {403})
    check(w, "and not for ever (%d of %d were written down)" % (len(kept), ATTEMPTS), status[-1] == 503 and len(kept) < ATTEMPTS)
    other = http.client.HTTPSConnection("127.0.0.1", w.operators, context=w.context(), timeout=10, source_address=("127.0.0.2", 0))
    other.request("POST", "/api/v1/ca/enrol", wrong)
    check(w, "and whoever comes from elsewhere is heard", other.getresponse().status == 403)


def main():
    if subprocess.run(["sh", "-c", "command -v faketime openssl"], capture_output=True).returncode:
        print("skipped: needs faketime and openssl")
        sys.exit(77)
    with tempfile.TemporaryDirectory(prefix="kedge-e2e.") as folder:
        world = World(folder)
        try:
            good = certificates(world)
            tickets(world, good)
            identifiers(world)
            revocation(world, frames(world, good))
            enrolling(world)
            verdict = world.api("audit/verify")
            check(world, "the audit trail is sound", verdict["problem"] == "sound")
        finally:
            if not world.stop():
                failures.append("the controller did not stop cleanly")
    sys.exit("failed: " + ", ".join(failures) if failures else 0)


main()
