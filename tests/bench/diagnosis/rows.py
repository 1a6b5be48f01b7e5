"""What the sections of the diagnosis benchmarks share: rows of one table, Wilson intervals, running kedge.

A row: row("log templates", "one system", value, n=lines, must=.88, aim=.95, peers="Drain .63").  With n, value is a
share and its 95 % Wilson interval is shown; without, a plain number."""
import os, resource, subprocess, sys

KEDGE = os.environ.get("KEDGE", "kedge")
DATA = os.environ.get("DATA", "../shared/data") + "/"
SCORERS = os.environ.get("SCORERS", "../shared/scorers")
sys.path.insert(0, SCORERS)
LINE = "%-27s %-25s %9s %-15s %7s %7s  %s"


def wilson(share, n, z=1.96):
    """The 95 % interval of a share that was seen n times (Wilson 1927)."""
    if n <= 0:
        return 0.0, 1.0
    middle = share + z * z / (2 * n)
    half = z * ((share * (1 - share) + z * z / (4 * n)) / n) ** 0.5
    return (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)


def figure(v):
    if v is None:
        return ""
    return ("%.3f" % v if abs(v) < 10 else "%.0f" % v) if isinstance(v, float) else str(v)


def row(part, what, value, n=None, must=None, aim=None, peers=""):
    between = ""
    if n:
        low, high = wilson(value, n)
        between = "[%.3f,%.3f]" % (max(0, low), min(1, high))
    print((LINE % (part, what, figure(value), between, figure(must), figure(aim), peers)).rstrip(), flush=True)


def head():
    print(LINE % ("part", "of", "ours", "95 %", "must", "aim", "peers (published, or by the same scorer)"))


def note(text):
    print("  " + text, flush=True)


def kedge(*words, stdin=None):
    """Standard output of one run, as bytes."""
    done = subprocess.run([KEDGE, *words], input=stdin, stdout=subprocess.PIPE, check=True)
    return done.stdout


def seconds(*words, stdin=None):
    """Processor time of one run: two cores shared with others make the clock on the wall worthless."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([KEDGE, *words], stdin=stdin, stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def mean(values):
    values = list(values)
    return sum(values) / len(values)


