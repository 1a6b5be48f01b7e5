"""tests/e2e/database/judge.py: where the programs under test are, and what has failed; for the tests beside it."""
import pathlib
import sys

BIN = pathlib.Path(sys.argv[1]).resolve()
failures = []


def check(what, good, detail=""):
    print("%s %s" % ("ok    " if good else "FAILED", what), flush=True)
    if not good:
        failures.append(what)
        print(detail, flush=True)
