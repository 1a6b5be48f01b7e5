"""Redaction: kedge redact, clinical texts, identifier by identifier, and lines of real systems that it alters."""
import glob, gzip, json, os, subprocess, sys, tempfile
from rows import DATA, SCORERS, head, kedge, row, seconds

SETS = {
    "asq_phi": ("Amazon Comprehend Medical .987 (90 % of clean texts touched), 20 regexes .80", .95, .985),
    "presidio_tests": ("", None, None),
    "presidio_synth": ("", None, None),
}
SPEED_BYTES = 32 << 20


def texts(name):
    path = DATA + "phi/%s_dev.jsonl" % name
    with tempfile.NamedTemporaryFile(suffix=".jsonl") as f:
        f.write(kedge("redact", "--mode", "clinical", "--jsonl", path))
        f.flush()
        out = subprocess.run([sys.executable, SCORERS + "/phi_score.py", path, f.name, "--json"],
                             stdout=subprocess.PIPE, check=True).stdout
    s = json.loads(out)
    peers, must, aim = SETS[name]
    row("redaction, recall", name, s["recall"], n=s["identifiers"], must=must, aim=aim, peers=peers)
    row("redaction, clean touched", name, s["over_redaction"], n=s["clean_docs"], must=.05 if must else None)
    for kind, hits in s["recall_by_type"].items():
        hit, of = map(int, hits.split("/"))
        row("", "  " + kind.lower(), hit / of, n=of)


def altered(path):
    lines = gzip.open(path).read().replace(b"\r\n", b"\n").rstrip(b"\n").split(b"\n")
    out = kedge("redact", "--mode", "log", stdin=b"\n".join(lines) + b"\n").split(b"\n")[:-1]
    return sum(a != b for a, b in zip(lines, out)) + abs(len(lines) - len(out)), len(lines)


def speed(what, mode, text):
    with tempfile.NamedTemporaryFile() as f:
        f.write(text * max(1, SPEED_BYTES // len(text)))
        f.flush()
        size = f.tell()
        row("redaction speed, MB/s", what, size / 1e6 / seconds("redact", "--mode", mode, f.name), must=50.0, aim=200.0)


def main():
    head()
    for name in SETS:
        texts(name)
    changed = lines = 0
    logs = sorted(glob.glob(DATA + "logparse/*.raw.log.gz"))
    for path in logs:
        a, n = altered(path)
        changed, lines = changed + a, lines + n
        row("redaction, lines altered", os.path.basename(path).split(".")[0], a / n, n=n)
    row("redaction, lines altered", "all systems", changed / lines, n=lines, must=.005, aim=.001, peers=".099")
    speed("lines of programs", "log", b"".join(gzip.open(p).read() for p in logs))
    notes = b"".join(json.loads(l)["text"].encode() + b"\n" for l in open(DATA + "phi/asq_phi_dev.jsonl", encoding="utf-8"))
    speed("clinical texts", "clinical", notes)


main()
