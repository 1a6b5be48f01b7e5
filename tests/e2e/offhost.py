"""tests/e2e/offhost.py BIN: copies off the host against a store on loopback that is strict where S3 is (s3_server.py).

A copy is made, read back and restored on an empty host with nothing but the recovery key; killed at any request it goes on and sends nothing
twice; a credential that others may read is not used, a wrong one is told as such, neither shows anywhere; TLS is checked; what the store
gives back wrongly is found; the keeper copies by itself and takes restore points while the store is away.
tests/e2e/offhost.sh does the same against a real store.
"""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
sys.path.insert(0, str(pathlib.Path(__file__).parent / "database"))
import cluster  # noqa: E402
import s3_server  # noqa: E402

BIN = pathlib.Path(sys.argv[1]).resolve()
AGENT = BIN / "kedge-agent"


def fail(text):
    sys.exit("FAILED: " + text)


class Host:
    """A host with a service of files, and a store that it copies to."""

    def __init__(self, folder, endpoint, access=s3_server.ACCESS, secret=s3_server.SECRET, region=s3_server.REGION, bucket=s3_server.BUCKET, more="", prefix="fleet/"):
        self.dir, self.prefix = pathlib.Path(folder), prefix
        self.secret, self.endpoint, self.region, self.bucket = secret, endpoint, region, bucket
        (self.dir / "etc").mkdir(parents=True)
        (self.dir / "var").mkdir()
        (self.dir / "etc/app.conf").write_text("port = 80\n")
        (self.dir / "var/noise").write_bytes(os.urandom(3 << 20))
        self.credentials = self.dir / "credentials"
        self.credentials.write_text("access_key: %s\nsecret_key: %s\n" % (access, secret))
        self.credentials.chmod(0o600)
        # made on another machine in real life
        self.public = subprocess.run([AGENT, "--config", self.yaml(self.dir / "plain.yaml", "state", copies=False), "repo", "recovery-key", "safe", "--into",
                                      self.dir / "safe.key"], capture_output=True, text=True, check=True, timeout=30).stdout.strip()
        self.config = self.yaml(self.dir / "agent.yaml", "state", more=more)

    def yaml(self, path, state, copies=True, more="", every="0s"):
        s3 = ("copies:\n  s3: { endpoint: \"%s\", bucket: %s, region: %s, prefix: %s, credentials_file: %s%s }\n"
              % (self.endpoint, self.bucket, self.region, self.prefix, self.credentials, more)) if copies else ""
        keys = "recovery_keys: [\"%s\"]\n" % self.public if copies else ""
        path.write_text("host: web-1\nstate_directory: %s/%s\nuser: nobody\n%s%sservices:\n  portal:\n    components:\n      config: { paths: [%s/etc] }\n"
                        "      data: { paths: [%s/var] }\n    snapshots: { every: %s }\n" % (self.dir, state, keys, s3, self.dir, self.dir, every))
        return path

    def agent(self, *words, code=0, config=None):
        done = subprocess.run([AGENT, "--config", config or self.config, *map(str, words)], capture_output=True, text=True, timeout=120)
        if self.secret in done.stdout + done.stderr:
            fail("the secret key is shown by " + " ".join(map(str, words)))
        if done.returncode != code:
            fail("%s: ended with %d, expected %d\n%s%s" % (" ".join(map(str, words)), done.returncode, code, done.stdout, done.stderr))
        return done.stdout + done.stderr

    def point(self):
        out = self.agent("snapshot", "create", "portal", "-o", "json")
        return re.search(r"snap-[0-9a-z]{26}", out).group()

    def status(self):
        return json.loads(self.agent("copy", "status", "-o", "json"))

    def same_as_restored(self, config, point, into):
        self.agent("restore", point, "--into", into, config=config)
        for part in ("etc", "var"):
            found = list(into.rglob(part))
            if not found or subprocess.run(["diff", "-r", self.dir / part, found[0]]).returncode != 0:
                fail("what came back differs from what was kept: " + part)


def said(text, *wanted):
    for w in wanted:
        if w not in text:
            fail("expected \"%s\" in:\n%s" % (w, text))


# ---- scenarios that any store stands ----

def there_and_back(host):
    """Copy, status, proof; then an empty host."""
    first = host.point()
    said(host.agent("copy", "run"), "1 restore points copied")
    (host.dir / "etc/app.conf").write_text("port = 8080\n")
    second = host.point()
    said(host.agent("copy", "run"), "1 restore points copied")
    said(host.agent("copy", "run"), "0 restore points copied: 0 objects")
    s = host.status()
    if s["points"] != 2 or s["pending"] != 0 or s["newest"] != second or not s["recoverable"] or s.get("error"):
        fail("the status is not what was done: %s" % s)
    said(host.agent("status"), "off this host: 2 restore points, the newest taken ")
    said(host.agent("copy", "verify"), "2 restore points are whole in the store")
    said(host.agent("copy", "verify", "--sample"), "2 restore points are whole in the store")

    other = host.yaml(host.dir / "other.yaml", "elsewhere")
    host.agent("copy", "restore", code=2, config=other)
    wrong = host.dir / "wrong.key"
    subprocess.run([AGENT, "--config", host.dir / "plain.yaml", "repo", "recovery-key", "other", "--into", wrong], capture_output=True, check=True, timeout=30)
    host.agent("copy", "restore", "--key", wrong, code=4, config=other)
    if (host.dir / "elsewhere/repository/FORMAT").exists():
        fail("a restore that failed left a repository")
    said(host.agent("copy", "restore", "--key", host.dir / "safe.key", config=other), "is a repository with 2 restore points", "generation 1", s["signer"])
    said(host.agent("repo", "check", "--data", config=other), ": 0 things wrong")
    host.same_as_restored(other, second, host.dir / "back")
    (host.dir / "etc/app.conf").write_text("port = 80\n")
    host.same_as_restored(other, first, host.dir / "back-first")
    (host.dir / "etc/app.conf").write_text("port = 8080\n")
    # that host goes on where the lost one was
    said(host.agent("copy", "run", config=other), "0 restore points copied")
    one = host.yaml(host.dir / "one.yaml", "one")
    said(host.agent("copy", "restore", "--key", host.dir / "safe.key", second, config=one), "is a repository with 1 restore points")
    said(host.agent("snapshot", "verify", second, config=one), "")
    return second


def killed(host, wait_for_request):
    """SIGKILL in the middle of requests; in the end everything is there."""
    for i in range(4):
        (host.dir / "var" / ("more-%d" % i)).write_bytes(os.urandom(700 << 10))
        host.point()
    for n in (1, 2, 4, 7, 11):
        p = subprocess.Popen([AGENT, "--config", host.config, "copy", "run"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for_request(p, n)
        p.kill()
        p.wait()
    host.agent("copy", "run")
    host.agent("copy", "verify")


# ---- scenarios of the strict store ----

def nothing_twice(store):
    twice = {n: c for n, c in store.bodies.items() if c != 1}
    if twice:
        fail("sent more than once: %s" % twice)
    if any(c not in ("GET", "PUT", "HEAD") for c, _, _ in store.log):
        fail("more was asked than put, get and head")


def secrets_are_kept(host, store):
    """While a request is under way: nobody sees the secret, and the program has no power."""
    seen = []

    def look(_, name):
        if "packs/" not in name or seen:
            return
        for proc in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                if (proc / "comm").read_text().strip() != "kedge-copy" or str(host.dir) not in parent_line(proc):
                    continue
                status = (proc / "status").read_text()
                shown = (proc / "cmdline").read_bytes() + ((proc / "environ").read_bytes() if os.geteuid() == 0 else b"")
                seen.append((status, shown, [os.readlink(f) for f in (proc / "fd").iterdir()] if os.geteuid() == 0 else []))
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue

    def parent_line(proc):
        parent = re.search(r"^PPid:\s+(\d+)", (proc / "status").read_text(), re.M).group(1)
        return pathlib.Path("/proc/%s/cmdline" % parent).read_bytes().decode(errors="replace")

    store.hook = look
    (host.dir / "var/for-secrets").write_bytes(os.urandom(300 << 10))
    host.point()
    host.agent("copy", "run")
    store.hook = None
    if not seen:
        fail("kedge-copy was not seen at work")
    status, shown, files = seen[0]
    if host.secret.encode() in shown:
        fail("the secret key is in the arguments or environment of kedge-copy")
    if os.geteuid() == 0:
        if re.search(r"^Uid:\s+0\s", status, re.M) or not re.search(r"^CapEff:\s+0+$", status, re.M):
            fail("kedge-copy runs with the privileges of root:\n" + status)
        open_files = [f for f in files if f.startswith("/") and f != "/dev/null" and "/packs/" not in f and "/offhost" not in f]
        if any("/keys/" in f or "credentials" in f for f in open_files):
            fail("kedge-copy has files open that are none of its business: %s" % open_files)
    if not re.search(r"^NoNewPrivs:\s+1$", status, re.M) or not re.search(r"^Seccomp:\s+2$", status, re.M):
        fail("kedge-copy may gain privileges, or make any system call:\n" + status)


def refusals(host, store):
    host.credentials.chmod(0o644)
    said(host.agent("copy", "run", code=3), "may be read by others")
    host.credentials.chmod(0o600)
    good = host.credentials.read_text()
    host.credentials.write_text(good.replace(s3_server.SECRET, "not-the-secret"))
    said(host.agent("copy", "verify", code=3), "the secret key is not the one of this access key")
    host.credentials.write_text(good.replace(s3_server.ACCESS, "SOMEBODYELSE"))
    said(host.agent("copy", "verify", code=3), "the store does not know this access key")
    host.credentials.write_text("access_key: x\nsecret_kye: %s\n" % s3_server.SECRET)
    said(host.agent("copy", "verify", code=1), "secret_kye")
    host.credentials.write_text(good)
    host.bucket = "no-such-bucket"
    said(host.agent("copy", "run", code=4, config=host.yaml(host.dir / "bucket.yaml", "state")), "there is no such bucket")
    host.bucket = s3_server.BUCKET
    lost = host.yaml(host.dir / "lost.yaml", "lost", more=", plain_http: true")
    lost.write_text(lost.read_text().replace(store.url, "http://no-such-host.invalid"))
    said(host.agent("copy", "run", code=5, config=lost), "no-such-host.invalid")
    plain = host.yaml(host.dir / "none.yaml", "state", copies=False)
    said(host.agent("copy", "run", code=3, config=plain), "declares no copies")
    said(host.agent("copy", "status", code=3, config=plain), "declares no copies")


def damage(host, store):
    """Each kind of object: flipped, and gone."""
    kinds = ["/packs/", ".manifest", "/inventory/", "/keys/", "/repository"]
    for kind in kinds:
        name = next(n for n in sorted(store.objects) if kind in n)
        data = store.objects[name]
        store.objects[name] = data[:len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + data[len(data) // 2 + 1:]
        said(host.agent("copy", "verify", code=1), "kedge-agent: ")
        del store.objects[name]
        host.agent("copy", "verify", code=1)
        store.objects[name] = data
    host.agent("copy", "verify")
    # a store that does not say what it has not, and one that is set back to an earlier state
    store.hides = True
    host.agent("copy", "verify")
    store.hides = False
    newest = max(n for n in store.objects if "/inventory/" in n)
    data = store.objects.pop(newest)
    said(host.agent("copy", "verify", code=1), "set back")
    store.objects[newest] = data


def locks(folder):
    store = s3_server.Store()
    # by a name that has to be looked up
    host = Host(folder, store.url.replace("127.0.0.1", "localhost"), more=", lock_days: 30, lock_mode: compliance")
    host.point()
    host.agent("copy", "run")
    if set(store.locks) != set(store.objects) or any(m != "COMPLIANCE" for m, _ in store.locks.values()):
        fail("not everything is locked: %s" % store.locks)
    before = dict(store.locks)
    ledger = host.dir / "state/offhost/ledger"
    # as if it had been put three weeks ago
    ledger.write_text(re.sub(r'"locked_until": ?"[^"]*"', '"locked_until":"%s"' % time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(time.time() + 9 * 86400)),
                             ledger.read_text()))
    time.sleep(1.1)  # locks have whole seconds
    host.agent("copy", "run")
    if any(store.locks[n][1] <= before[n][1] for n in before):
        fail("locks of what is needed were not renewed")
    store.stop()


def tls(folder):
    key, cert = folder / "tls.key", folder / "tls.pem"
    folder.mkdir()
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", cert, "-days", "2",
                    "-subj", "/CN=store", "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True, timeout=30)
    cert.chmod(0o644)
    folder.chmod(0o755)
    store = s3_server.Store((cert, key))
    host = Host(folder / "host", store.url)
    host.point()
    host.agent("copy", "run", code=3)  # nobody vouches for it
    if store.objects:
        fail("something was sent to a store that nobody vouches for")
    trusting = host.yaml(host.dir / "tls.yaml", "state", more=", authority: %s" % cert)
    said(host.agent("copy", "run", config=trusting), "1 restore points copied")
    store.stop()


def keeper(folder):
    """By itself after a restore point; a store that is away holds up nothing, and is caught up with."""
    store = s3_server.Store()
    host = Host(folder, store.url)
    config = host.yaml(host.dir / "keeper.yaml", "state", every="1h")
    text = config.read_text().replace("credentials_file", "addressing: path, credentials_file")
    config.write_text(text)
    away = host.yaml(host.dir / "away.yaml", "state", every="1h")
    away.write_text(away.read_text().replace(store.url, "http://127.0.0.1:1"))
    log = open(host.dir / "log", "w")
    p = subprocess.Popen([AGENT, "--config", away, "run"], stderr=log, cwd="/")
    wait(lambda: "127.0.0.1:1" in (status_of(host) or {}).get("error", ""), "the store to be missed", host)
    if not list((host.dir / "state/repository/snapshots").glob("*.manifest")):
        fail("no restore point was taken while the store was away")
    p.send_signal(signal.SIGTERM)
    if p.wait(30) != 0:
        fail("the agent did not stop cleanly")
    p = subprocess.Popen([AGENT, "--config", config, "run"], stderr=log, cwd="/")
    wait(lambda: (status_of(host) or {}).get("points", 0) >= 1 and "error" not in status_of(host), "the copy", host)
    p.send_signal(signal.SIGTERM)
    if p.wait(30) != 0:
        fail("the agent did not stop cleanly")
    if not any(".manifest" in n for n in store.objects):
        fail("the status says what is not so")
    store.stop()


def status_of(host):
    try:
        return json.loads((host.dir / "state/offhost/status.json").read_text())
    except (FileNotFoundError, ValueError):
        return None


def wait(condition, what, host, seconds=60):
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            fail("waited in vain for %s: %s\n%s" % (what, status_of(host), (host.dir / "log").read_text()[-3000:]))
        time.sleep(0.1)


# ---- a database whose log is archived ----

def lost_database(folder, endpoint, access, secret, region, bucket, more):
    """All of its host is lost; it comes back to moments from the store and the recovery key alone."""
    if cluster.missing():
        print("the database is left out: " + cluster.missing())
        return
    folder.mkdir()
    (folder / "credentials").write_text("access_key: %s\nsecret_key: %s\n" % (access, secret))
    (folder / "credentials").chmod(0o600)
    (folder / "key.yaml").write_text("host: h1\nstate_directory: %s/none\nservices: {}\n" % folder)
    public = subprocess.run([AGENT, "--config", folder / "key.yaml", "repo", "recovery-key", "safe", "--into", folder / "safe.key"], capture_output=True, text=True,
                            check=True, timeout=30).stdout.strip()
    c = cluster.Cluster(folder, "user: nobody\nrecovery_keys: [\"%s\"]\ncopies:\n  s3: { endpoint: \"%s\", bucket: %s, region: %s, prefix: fleet/, credentials_file: "
                                "%s/credentials%s }\n" % (public, endpoint, bucket, region, folder, more))
    with cluster.stopping(c):
        come_back(c)
    if cluster.failures:
        fail("a database that was lost: %s" % cluster.failures)


def lose(c):
    c.run(c.dir / "ctl", "stop")
    shutil.rmtree(c.dir / "data")
    shutil.rmtree(c.dir / "state")


def come_back(c):
    c.put(1)
    c.settled()
    c.ends(0, "snapshot", "create", "db")
    c.put(2)
    two = c.now()
    c.put(3)
    c.settled()
    c.ends(0, "copy", "run", says="files of logs of databases")
    status = json.loads(c.ends(0, "copy", "status", "-o", "json").stdout)
    if status["wal"][0]["service"] != "db" or status["wal"][0]["pending"] or not status["wal"][0]["last"]:
        fail("the status of the log is not what was done: %s" % status)
    board = json.loads(c.ends(0, "status", "-o", "json").stdout)[0]
    cluster.check("the board: nothing more would be lost with the host than here", board["archive"] == "ok" and board.get("copied") and
                  board.get("copied_rpo_ms", 0) <= board.get("rpo_ms", 0) + 1, board)
    c.put(4)
    c.settled()  # archived on the host, not copied: lost with it
    if json.loads(c.ends(0, "copy", "status", "-o", "json").stdout)["wal"][0]["last"] != status["wal"][0]["last"]:
        fail("the status says what is not so")
    time.sleep(1.1)
    board = json.loads(c.ends(0, "status", "-o", "json").stdout)[0]
    cluster.check("the board: what was not copied yet would be lost with the host", board["copied_rpo_ms"] >= 1000, board)
    lose(c)
    c.ends(0, "copy", "restore", "--key", c.dir / "safe.key", says="files of logs of databases in %s/state/wal" % c.dir)
    c.ends(0, "rollback", "start", "db", "--to-time", two)
    cluster.check("a moment between restore points, on an empty host", c.rows() == "1,2", c.rows())
    cluster.check("on a timeline of its own", c.timeline() == 2, c.timeline())
    c.put(20)
    code, status = c.settled()
    cluster.check("the archive goes on there", code == 0 and status["state"] == "ok" and status["timeline"] == 2, status)
    twenty = c.now()
    c.put(21)
    c.settled()
    c.ends(0, "copy", "run", says="files of logs of databases")
    c.ends(0, "copy", "verify")
    lose(c)
    c.ends(0, "copy", "restore", "--key", c.dir / "safe.key")
    c.ends(0, "rollback", "start", "db", "--to-time", twenty)
    cluster.check("lost again: a moment on the new timeline", c.rows() == "1,2,20", c.rows())


def strict(folder):
    store = s3_server.Store()
    host = Host(folder / "host", store.url)
    there_and_back(host)
    nothing_twice(store)
    secrets_are_kept(host, store)

    def wait_for_request(process, n):
        base = len(store.log)
        while len(store.log) < base + n and process.poll() is None:
            time.sleep(0.001)

    killed(host, wait_for_request)
    nothing_twice(store)
    said(host.agent("copy", "unneeded"), "")
    if store.refused and {r[2] for r in store.refused} - {"NoSuchKey", "PreconditionFailed", "XAmzContentSHA256Mismatch"}:
        fail("the store refused what it should not have been asked: %s" % store.refused)
    refusals(host, store)
    damage(host, store)
    lost_database(folder / "database", store.url, s3_server.ACCESS, s3_server.SECRET, s3_server.REGION, s3_server.BUCKET, "")
    store.stop()
    locks(folder / "locks")
    tls(folder / "tls")
    keeper(folder / "keeper")


RATE_BYTES = 400 << 20


def rates(folder, *where):
    """How fast it goes there, is proven there, and comes back, in figures: what cannot be compressed, by one host."""
    host = Host(folder, *where, prefix="rates/")
    (host.dir / "var/large").write_bytes(os.urandom(RATE_BYTES))
    point = host.point()
    other = host.yaml(host.dir / "other.yaml", "elsewhere")

    def rate(words, *command, config=None):
        began = time.monotonic()
        host.agent(*command, config=config)
        print("%s: %.0f MB/s" % (words, RATE_BYTES / 1e6 / (time.monotonic() - began)), flush=True)
    rate("copied", "copy", "run")
    rate("read back and compared", "copy", "verify")
    rate("a repository again, on an empty host", "copy", "restore", "--key", host.dir / "safe.key", config=other)
    host.same_as_restored(other, point, host.dir / "back")
    shutil.rmtree(host.dir)


def real(folder, endpoint, access, secret, region, bucket, more):
    """Against a store that somebody else wrote."""
    host = Host(folder / "host", endpoint, access, secret, region, bucket, more)
    there_and_back(host)
    killed(host, lambda _, n: time.sleep(0.01 * n))
    good = host.credentials.read_text()
    host.credentials.write_text(good.replace(secret, "not-the-secret-not-the-secret"))
    said(host.agent("copy", "verify", code=3), "the secret key is not the one of this access key")
    host.credentials.write_text(good)
    host.agent("copy", "verify")
    lost_database(folder / "database", endpoint, access, secret, region, bucket, more)
    if not more:  # once: the store is in memory
        rates(folder / "rates", endpoint, access, secret, region, bucket, more)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="kedge-test-") as scratch:
        os.chmod(scratch, 0o755)
        if len(sys.argv) > 2:
            real(pathlib.Path(scratch), *sys.argv[2:8])
        else:
            strict(pathlib.Path(scratch))
    print("ok")
