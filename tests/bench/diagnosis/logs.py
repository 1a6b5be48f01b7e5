"""Log templates: kedge analyze logs FILE --lines, each system apart, one configuration."""
import csv, glob, gzip, os, tempfile, time
from rows import DATA, head, kedge, mean, note, row, seconds
import drain, logparse_score

PEERS = {
    "GA": "Drain .63, Brain .81; Drain tuned per system .83",
    "FGA": "Drain .63, Brain .87",
    "PA": "Drain .35, Brain .38; Drain tuned per system .66",
}
TARGETS = {"GA": (.88, .95), "FGA": (.91, .95), "PA": (.60, .75)}
SPEED_COPIES = 100


def score(name, kind):
    truth = gzip.open(DATA + "logparse/%s.truth.csv.gz" % name, "rt", encoding="utf-8", errors="replace")
    templates = [r["EventTemplate"] for r in csv.DictReader(truth)]
    out = kedge("analyze", "logs", DATA + "logparse/%s.%s.gz" % (name, kind), "--lines").decode("utf-8", "replace")
    pairs = [line.partition("\t") for line in out.split("\n")[:-1]]
    return logparse_score.score(templates, [p[0] for p in pairs], [p[2] for p in pairs])


def speed(names):
    with tempfile.NamedTemporaryFile(suffix=".log") as f:
        lines = 0
        for name in names:
            text = gzip.open(DATA + "logparse/%s.raw.log.gz" % name).read()
            f.write(text * SPEED_COPIES)
            lines += text.count(b"\n") * SPEED_COPIES
        f.flush()
        taken = seconds("analyze", "logs", f.name, "--lines")
        row("mining speed, lines/s", "all systems, headers too", lines / taken, must=300000.0, aim=1000000.0,
            peers="one process: read, split, mine, write; %d lines" % lines)
        peer = drain.Drain()
        with open(f.name, encoding="utf-8", errors="replace") as text:
            before = time.process_time()
            done = sum(peer.add(line) > 0 for line in text)
        row("mining speed, lines/s", "Drain in plain Python", done / (time.process_time() - before),
            peers="the published algorithm written anew, whole lines; %d lines" % done)


def main():
    csv.field_size_limit(1 << 30)
    head()
    names = sorted(os.path.basename(p).split(".")[0] for p in glob.glob(DATA + "logparse/*.truth.csv.gz"))
    for kind, what in (("content", "messages"), ("raw.log", "whole lines")):
        scores = {n: score(n, kind) for n in names}
        for key in ("GA", "FGA", "PA", "FTA"):
            must, aim = TARGETS.get(key, (None, None))
            for n in names:
                s = scores[n]
                row("log templates, " + what, "%s %s" % (key, n), s[key],
                    n=s["lines"] if key in ("GA", "PA") else None)
            row("log templates, " + what, key + " mean", mean(s[key] for s in scores.values()), must=must, aim=aim,
                peers=PEERS.get(key, ""))
    note("Intervals are over lines; FGA and FTA are over templates. The systems are those that rules were looked at with.")
    speed(names)


main()
