"""Logs of systems that do not exist, in formats of many programs, with known templates: kedge analyze logs at first sight.

A system is a list of messages whose values are drawn from a seed, and a manner of writing the line around them.  The
truth of a group is which message made the line; of a template, the message with <*> where values stood."""
import datetime, json, random, re, tempfile
from rows import kedge, mean, row
import logparse_score

LINES = 3000
SEED = 7


def values(r):
    hexes = lambda n: "".join(r.choice("0123456789abcdef") for _ in range(n))
    word = lambda: r.choice(["orders", "billing", "checkout", "inventory", "mailer", "search", "profile", "gateway", "ledger",
                             "catalog", "session-store", "thumbnailer", "audit", "payments", "recommender", "shipping"])
    return {
        "n": lambda: str(r.choice([r.randrange(10), r.randrange(1000), r.randrange(10 ** 6)])),
        "pct": lambda: "%d%%" % r.randrange(100),
        "f": lambda: "%.3f" % r.uniform(0, 900),
        "ms": lambda: r.choice(["%dms", "%d.%03dms"]).replace("%03d", "%03d" % r.randrange(1000)) % r.randrange(5000),
        "dur": lambda: r.choice(["%ds" % r.randrange(90), "%dm%ds" % (r.randrange(60), r.randrange(60)), "%.2fs" % r.uniform(0, 9)]),
        "ip": lambda: ".".join(str(r.randrange(1, 255)) for _ in range(4)),
        "addr": lambda: "%s:%d" % (".".join(str(r.randrange(1, 255)) for _ in range(4)), r.randrange(1024, 65535)),
        "uuid": lambda: "-".join(hexes(n) for n in (8, 4, 4, 4, 12)),
        "hex": lambda: hexes(r.choice([7, 12, 16, 40])),
        "ptr": lambda: "0x" + hexes(12),
        "host": lambda: "%s-%d" % (r.choice(["web", "db", "cache", "worker", "node"]), r.randrange(1, 60)),
        "fqdn": lambda: "%s%d.prod.example.com" % (r.choice(["web", "db", "api"]), r.randrange(1, 60)),
        "pod": lambda: "%s-%s-%s" % (word(), hexes(9), hexes(5)),
        "svc": word,
        "user": lambda: r.choice(["alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy", "mallory", "oscar"]),
        "mail": lambda: "%s@example.%s" % (r.choice(["alice", "bob", "carol", "dave"]) + str(r.randrange(90)), r.choice(["com", "org"])),
        "path": lambda: "/" + "/".join(r.choice(["var", "lib", "data", "opt", "srv", "cache", "tmp", "etc"]) for _ in range(r.randrange(1, 4))) + "/" + hexes(6) + r.choice([".log", ".db", ".conf", ""]),
        "url": lambda: "https://%s.example.com/api/v%d/%s/%d" % (r.choice(["api", "www", "auth"]), r.randrange(1, 4), word(), r.randrange(9999)),
        "size": lambda: "%d %s" % (r.randrange(1, 900), r.choice(["KB", "MB", "GB"])),
        "bytes": lambda: "%d%s" % (r.randrange(1, 900), r.choice(["KiB", "MiB", "GiB"])),
        "code": lambda: r.choice(["200", "201", "204", "301", "304", "400", "401", "403", "404", "500", "502", "503"]),
        "when": lambda: "2026-0%d-%02dT%02d:%02d:%02d.%03dZ" % (r.randrange(1, 9), r.randrange(1, 28), r.randrange(24), r.randrange(60), r.randrange(60), r.randrange(1000)),
        "date": lambda: "2026-0%d-%02d" % (r.randrange(1, 9), r.randrange(1, 28)),
        "phrase": lambda: " ".join(r.choice("green quick report night batch of the month export large old draft".split()) for _ in range(r.randrange(1, 5))),
        "sid": lambda: "S-1-5-21-%d-%d-%d-%d" % tuple(r.randrange(10 ** 8) for _ in range(4)),
    }


# A value is {kind}; what is quoted with blanks in it is {phrase}.
MESSAGES = {
    "service": [
        "Starting {svc} on port {n}", "Listening on {addr}", "Connected to database {fqdn} in {ms}", "Connection pool exhausted, {n} waiting",
        "Request {uuid} completed in {ms}", "Request {uuid} failed after {n} attempts", "User {user} logged in from {ip}",
        "User {user} logged out", "Cache miss for key {hex}", "Cache hit for key {hex}", "Slow query took {ms}: rows={n}",
        "Retrying in {dur} (attempt {n} of {n})", "Failed to open {path}: permission denied", "Failed to open {path}: no such file or directory",
        "Order {n} created for customer {mail}", "Order {n} cancelled", "Payment of {f} EUR accepted for order {n}", "Payment declined for order {n}",
        "Job \"{phrase}\" started", "Job \"{phrase}\" finished with status {n}", "Disk usage at {pct} on {path}", "Heap {size} used of {size}",
        "Leader elected: {host}", "Lost connection to {addr}", "Health check of {svc} passed", "Health check of {svc} failed: {n} errors",
        "Shutting down", "Configuration reloaded from {path}", "Certificate expires on {date}", "Token refreshed for {user}", "GC pause {ms}"],
    "cluster": [
        "Successfully pulled image in {dur}", "Created container {svc}", "Started container {svc}", "Killing container with id {hex}",
        "Back-off restarting failed container {svc} in pod {pod}", "Readiness probe failed: HTTP probe failed with statuscode: {code}",
        "Liveness probe failed: dial tcp {addr}: connect: connection refused", "MountVolume.SetUp failed for volume \"{svc}\" : secret not found",
        "Node {host} status is now: NodeNotReady", "Scaled up replica set {pod} to {n}", "Scaled down replica set {pod} to {n}",
        "Evicting pod {pod} to free {bytes}", "Pod {pod} assigned to node {host}", "Failed to pull image: rpc error code = NotFound",
        "Observed a panic: runtime error: invalid memory address {ptr}", "Lease renewed for {host}", "Volume {uuid} attached to {host}",
        "Volume {uuid} detached from {host}", "Reconcile took {ms} for {svc}", "Watch closed, resyncing {n} objects"],
    "windows": [
        "The Service Control Manager entered the running state.", "The {svc} service entered the stopped state.",
        "An account was successfully logged on. Subject: Security ID: {sid} Account Name: {user} Logon Type: {n}",
        "An account failed to log on. Subject: Security ID: {sid} Account Name: {user} Failure Reason: Unknown user name or bad password.",
        "The system uptime is {n} seconds.", "The previous system shutdown at {when} was unexpected.",
        "A timeout ({n} milliseconds) was reached while waiting for the {svc} service to connect.",
        "The time provider NtpClient is currently receiving valid time data from {addr}.",
        "Installation Successful: Windows successfully installed the following update: KB{n}", "Faulting application name: {svc}.exe, fault address: {ptr}",
        "The driver detected a controller error on \\Device\\Harddisk{n}.", "Windows is starting up.", "Group policy applied in {n} milliseconds."],
    "deutsch": [
        "Verbindung zu {addr} hergestellt", "Verbindung zu {addr} verloren", "Benutzer {user} hat sich angemeldet", "Benutzer {user} hat sich abgemeldet",
        "Datei {path} konnte nicht geöffnet werden: Zugriff verweigert", "Auftrag {n} wurde in {ms} ausgeführt", "Auftrag {n} ist fehlgeschlagen",
        "Speicherplatz auf {path} zu {pct} belegt", "Dienst {svc} wird gestartet", "Dienst {svc} wurde beendet", "Zeitüberschreitung nach {n} Sekunden",
        "Ungültiger Schlüssel für {mail}", "Sicherung abgeschlossen, {size} geschrieben", "Warteschlange enthält {n} Einträge"],
    "francais": [
        "Connexion établie avec {addr}", "Connexion perdue avec {addr}", "L'utilisateur {user} s'est connecté", "L'utilisateur {user} s'est déconnecté",
        "Impossible d'ouvrir le fichier {path} : accès refusé", "Tâche {n} terminée en {ms}", "Échec de la tâche {n}", "Démarrage du service {svc}",
        "Arrêt du service {svc}", "Délai dépassé après {n} secondes", "Espace disque utilisé à {pct} sur {path}", "Sauvegarde terminée, {size} écrits"],
    "database": [
        "database system is ready to accept connections", "connection received: host={ip} port={n}", "connection authorized: user={user} database={svc}",
        "disconnection: session time: 0:00:{n} user={user} database={svc} host={ip} port={n}", "checkpoint starting: time",
        "checkpoint complete: wrote {n} buffers ({pct}); write={f} s, sync={f} s", "duration: {f} ms  execute <unnamed>",
        "duplicate key value violates unique constraint \"{svc}_pkey\"", "relation \"{svc}\" does not exist", "deadlock detected",
        "canceling statement due to statement timeout", "terminating connection due to administrator command",
        "could not receive data from client: Connection reset by peer", "automatic vacuum of table \"{svc}.public.{svc}\": index scans: {n}",
        "process {n} still waiting for ShareLock on transaction {n} after {f} ms", "too many connections for role \"{user}\"",
        "archived transaction log file \"{hex}\"", "recovery restart point at {n}/{n}"],
    # Made up after the miner had been mended for those above.
    "mail": [
        "connect from {fqdn}[{ip}]", "disconnect from {fqdn}[{ip}] ehlo={n} mail={n} rcpt={n} quit={n} commands={n}",
        "{hex}: from=<{mail}>, size={n}, nrcpt={n} (queue active)", "{hex}: to=<{mail}>, relay={fqdn}[{ip}]:{n}, delay={f}, dsn=2.0.0, status=sent",
        "{hex}: to=<{mail}>, relay=none, delay={f}, dsn=4.4.1, status=deferred (connect to {fqdn}: Connection timed out)", "{hex}: removed",
        "{hex}: message-id=<{hex}@{fqdn}>", "warning: hostname {fqdn} does not resolve to address {ip}", "NOQUEUE: reject: RCPT from unknown[{ip}]: 554 5.7.1 Service unavailable",
        "lost connection after AUTH from unknown[{ip}]", "statistics: max connection rate {n} for (smtp:{ip})", "imap-login: Login: user=<{user}>, method=PLAIN, rip={ip}, TLS"],
    "network": [
        "DHCPDISCOVER from {hex} via eth{n}", "DHCPACK on {ip} to {hex} via eth{n}", "DHCPNAK on {ip} to {hex}", "Interface GigabitEthernet0/{n} changed state to up",
        "Interface GigabitEthernet0/{n} changed state to down", "neighbor {ip} Up", "neighbor {ip} Down: hold timer expired", "Configured from console by {user} on vty{n} ({ip})",
        "query: {fqdn} IN A + ({ip})", "query failed (SERVFAIL) for {fqdn}", "zone example.org: loaded serial {n}", "refused notify from non-master: {addr}",
        "link is not ready", "renewed lease of {ip} for {dur}", "port {n}: link up at {n} Mbps, full duplex", "Denied tcp {addr} -> {addr} by rule {n}"],
    "queue": [
        "Partition {n} of topic {svc} is under-replicated: {n} of {n} in sync", "Consumer {uuid} joined group {svc} with generation {n}",
        "Consumer {uuid} left group {svc}", "Rebalance of group {svc} finished in {ms}", "Offset {n} committed for {svc}-{n}", "Offset commit failed for {svc}-{n}: coordinator not available",
        "Segment {path} rolled at offset {n}", "Segment {path} deleted after {dur}", "Message {uuid} redelivered {n} times, moved to dead letter queue",
        "Publishing to exchange '{svc}' with routing key '{svc}.{n}'", "Channel closed by server: 404 NOT_FOUND - no queue '{svc}'", "Memory high watermark set to {n} MiB ({n} bytes)",
        "Client {addr} authenticated as {user}", "Client {addr} timed out after {dur}", "Snapshot of {n} entries saved to {path}", "Snapshot discarded"],
    # From here on: made up after the miner had been mended for those above, and nothing was mended for them.
    "storage": [
        "osd.{n} marked down after no beacon for {f} seconds", "osd.{n} boot at {addr}", "pg {n}.{n} is stuck inactive for {dur}, current state {svc}",
        "scrub of {hex} finished: {n} objects, {n} errors", "scrub of {hex} started", "device sd{n} reported {n} reallocated sectors", "pool '{svc}' is {pct} full",
        "pool '{svc}' created with {n} placement groups", "pool '{svc}' removed", "slow request {uuid} blocked for {dur} on osd.{n}", "monitor {host} joined quorum of {n}",
        "monitor {host} left quorum of {n}", "rebuild of md{n} at {pct}, {size} left", "snapshot {svc}@{date} taken in {ms}", "snapshot {svc}@{date} expired",
        "write to {path} failed: No space left on device (errno={n})", "write to {path} failed: Input/output error (errno={n})"],
    "access": [
        "Accepted key {hex} for {user} from {ip} port {n}", "Failed password for {user} from {ip} port {n}", "Failed password for invalid user {user} from {ip} port {n}",
        "realm={svc} client={svc} ip={ip} event=LOGIN user={mail}", "realm={svc} client={svc} ip={ip} event=LOGOUT user={mail}", "realm={svc} client={svc} ip={ip} event=LOGIN_ERROR reason=expired_code",
        "Role \"{svc}\" granted to {user} by {user}", "Role \"{svc}\" revoked from {user} by {user}", "Ticket {uuid} issued to {mail}, valid {dur}", "Ticket {uuid} rejected: clock skew of {ms}",
        "Policy '{svc}' denied {user} action read on {path}", "Policy '{svc}' allowed {user} action read on {path}", "{n} sessions of {user} closed", "Password of {user} changed", "Directory {fqdn}:{n} unreachable, using {fqdn}:{n}"],
    "inference": [
        "Loaded model {svc} revision {hex} in {f}s", "Unloaded model {svc} after {dur} idle", "Request {uuid}: {n} prompt tokens, {n} completion tokens, {f} tok/s", "Batch of {n} on device cuda:{n} took {ms}",
        "CUDA out of memory. Tried to allocate {f} GiB ({f} GiB total capacity; {f} GiB free)", "Worker {n} (pid {n}) heartbeat lost", "Worker {n} (pid {n}) started", "Queue depth {n} exceeds {n}, shedding",
        "step={n} loss={f} lr={f} grad_norm={f}", "Checkpoint written to {path} at step {n}", "Checkpoint {path} is corrupt", "gpu {n}: temperature {n}C, throttled", "Tokenizer mismatch for {svc}: expected {hex} got {hex}"],
}


def clock(r):
    at = datetime.datetime(2026, 3, 1, 8)
    while True:
        at += datetime.timedelta(milliseconds=r.randrange(1, 4000))
        yield at


def level(r):
    return r.choice(["INFO"] * 6 + ["WARN", "ERROR", "DEBUG"])


def iso(t):
    return t.strftime("%Y-%m-%dT%H:%M:%S.") + "%03dZ" % (t.microsecond // 1000)


# The line around a message; r draws what is in it.  The first is the message alone.
MANNERS = {
    "bare": lambda r, t, m: m,
    "iso": lambda r, t, m: "%s %s [%s] %s" % (iso(t), level(r), r.choice(["main", "worker-3", "http-7"]), m),
    "epoch": lambda r, t, m: "%.3f %s %s" % (t.timestamp(), level(r).lower(), m),
    "bracketed": lambda r, t, m: "[%s] [%s] [pid %d] %s" % (t.strftime("%a %b %d %H:%M:%S.%f %Y"), level(r).lower(), r.randrange(99999), m),
    "syslog": lambda r, t, m: "%s %s appd[%d]: %s" % (t.strftime("%b %d %H:%M:%S"), r.choice(["web1", "web2"]), r.randrange(30000), m),
    "rfc5424": lambda r, t, m: "<%d>1 %s host%d appd %d - - %s" % (r.randrange(191), iso(t), r.randrange(9), r.randrange(30000), m),
    "klog": lambda r, t, m: "%s%s %7d controller.go:%d] %s" % (r.choice("IIIWE"), t.strftime("%m%d %H:%M:%S.%f"), r.randrange(99), r.choice([88, 131, 402]), m),
    "python": lambda r, t, m: "%s,%03d - app.worker - %s - %s" % (t.strftime("%Y-%m-%d %H:%M:%S"), t.microsecond // 1000, level(r), m),
    "spring": lambda r, t, m: "%s  %s %d --- [nio-8080-exec-%d] c.e.shop.Handler : %s" % (t.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3], level(r), 4242, r.randrange(10), m),
    "postgres": lambda r, t, m: "%s UTC [%d] app@shop %s:  %s" % (t.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3], r.randrange(30000), r.choice(["LOG", "ERROR", "FATAL"]), m),
    "json": lambda r, t, m: json.dumps({"ts": iso(t), "level": level(r).lower(), "msg": m, "pid": r.randrange(30000)}, ensure_ascii=False),
    "json, message last": lambda r, t, m: json.dumps({"@timestamp": iso(t), "log.level": level(r), "host": {"name": "web%d" % r.randrange(9)}, "message": m}),
    "logfmt": lambda r, t, m: "time=%s level=%s msg=%s" % (iso(t), level(r).lower(), json.dumps(m, ensure_ascii=False)),
    "windows": lambda r, t, m: "%s, %-8s %s" % (t.strftime("%Y-%m-%d %H:%M:%S"), r.choice(["Info", "Warning", "Error"]), m),
    "glog": lambda r, t, m: "%s%s %d server.cc:%d] %s" % (r.choice("IIIWE"), t.strftime("%Y%m%d %H:%M:%S.%f"), r.randrange(30000), r.choice([88, 131, 402]), m),
    "android": lambda r, t, m: "%s  %d  %d %s Handler: %s" % (t.strftime("%m-%d %H:%M:%S.%f")[:-3], r.randrange(9999), r.randrange(9999), level(r)[0], m),
    "csv": lambda r, t, m: "%s,%s,%d,%s" % (t.strftime("%Y-%m-%d %H:%M:%S"), level(r), r.randrange(99), json.dumps(m, ensure_ascii=False)),
}
SYSTEMS = [("service", m) for m in MANNERS] + [("cluster", "klog"), ("cluster", "json"), ("cluster", "bare"), ("windows", "windows"),
           ("windows", "bare"), ("deutsch", "iso"), ("deutsch", "bare"), ("francais", "bare"), ("francais", "syslog"),
           ("database", "postgres"), ("database", "bare"), ("database", "csv")]
LATER = [("storage", "rfc5424"), ("storage", "bare"), ("storage", "klog"), ("access", "syslog"), ("access", "bare"), ("access", "logfmt"),
         ("inference", "python"), ("inference", "json"), ("inference", "bare")]
MENDED = [("mail", "syslog"), ("mail", "bare"), ("network", "rfc5424"), ("network", "bracketed"), ("network", "bare"),
         ("queue", "python"), ("queue", "json"), ("queue", "bare")]


def fill(message, kinds):
    """A message with values, and with <*> for them."""
    parts, text, truth = message.replace("}", "{").split("{"), "", ""
    for i, part in enumerate(parts):
        text += kinds[part]() if i % 2 else part
        truth += "<*>" if i % 2 else part
    return text, truth


def make(messages, manner, seed):
    r = random.Random("%s/%s/%d" % (messages, manner, seed))
    kinds, ways, times = values(r), MESSAGES[messages], clock(r)
    weights = [1 / (i + 1) for i in range(len(ways))]
    r.shuffle(weights)
    lines, truth = [], []
    for _ in range(LINES):
        text, template = fill(r.choices(ways, weights)[0], kinds)
        lines.append(MANNERS[manner](r, next(times), text))
        truth.append(template)
    return lines, truth


def whole(template):
    """Whether "host:port" is one value or two is a matter of taste."""
    return re.sub(r"<\*>([:@]<\*>)+", "<*>", template)


def measure(part, systems):
    scores = []
    for messages, manner in systems:
        lines, truth = make(messages, manner, SEED)
        with tempfile.NamedTemporaryFile("w", suffix=".log", encoding="utf-8") as f:
            f.writelines(l + "\n" for l in lines)
            f.flush()
            out = kedge("analyze", "logs", f.name, "--lines").decode("utf-8", "replace")
        pairs = [line.partition("\t") for line in out.split("\n")[:-1]]
        s = logparse_score.score(truth, [p[0] for p in pairs], [whole(p[2]) for p in pairs])
        scores.append(s)
        row(part, "%s, %s: GA" % (messages, manner), s["GA"])
        row("", "  FGA; PA", s["FGA"], peers="%.3f" % s["PA"])
    for key, must, aim in (("GA", .88, .95), ("FGA", .91, .95), ("PA", .60, .75)):
        row(part, key + " mean", mean(s[key] for s in scores), must=must, aim=aim)


def main():
    measure("templates, made up", SYSTEMS)
    measure("…, mended for later", MENDED)
    measure("…, nothing mended for", LATER)


if __name__ == "__main__":
    main()
