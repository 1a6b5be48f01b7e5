#!/usr/bin/python3
"""verify.py WORK [--only WORD,…] [--share I/N]: are the faults what their list says?  Without Kedge: nobody but a hand mends anything here.

For each fault of faults.tsv that tells what mends it: the services are well as their visitors see them (`world.sh well`); after its harmless
change, if it has one, they still are; it is made, and within some seconds visitors find something wrong; it does not pass by itself, unless it
says so; the repairs of the list, done by hand, make them well again; and all that must be as it was is.  Needs root and a mount namespace.
"""
import argparse
import pathlib
import subprocess
import sys
import time

import run

BREAK_S, MEND_S = 25, 30


class Bare(run.World):
    def up(self):
        self.dir.mkdir(parents=True, exist_ok=True)
        if self.sh("bare", timeout=300).returncode:
            sys.exit("verify: the services did not come up: see %s" % self.log.name)
        self.reference = (self.dir / "reference.sum").read_text()

    def ill(self):
        return self.sh("well").stdout.splitlines()

    def well(self):
        return not any(self.ill() for _ in range(3))


def verify(w, fault):
    host = run.hosts_of(fault)[0]
    wanted = w.reference
    if not w.well():
        return "the services are not well beforehand: %s" % w.ill()
    if w.sh("before", fault["fault"], host).returncode == 0:
        if not run.until(w.well, 10):
            return "its harmless change is none: %s" % w.ill()
        w.sh("kept")
        wanted = w.sh("sum").stdout
    began = time.monotonic()
    if w.sh("inject", fault["fault"], host).returncode == 9:
        return "not injected"
    seen = run.until(w.ill, BREAK_S)
    if not seen:
        return "visitors see nothing"
    broke = time.monotonic() - began
    repairs = run.repairs_of(fault)
    if fault["repair"] == "none":
        return "", "%4.1f s: %s" % (broke, "; ".join(seen)[:110])
    if repairs:
        time.sleep(3)
        if not any(w.ill() for _ in range(3)):
            return "it passes by itself"
    for repair, at in repairs:
        w.sh("mend", repair, at)
    if not run.until(w.well, MEND_S):
        return "not mended: %s" % w.ill()
    w.sh("end")
    now = w.sh("sum").stdout
    left = sorted(set(now.splitlines()) - set(wanted.splitlines()))
    if left:
        return "not as it was: %s" % left
    return "", "%4.1f s: %s" % (broke, "; ".join(seen)[:110])


def main():
    p = argparse.ArgumentParser()
    p.add_argument("work", type=pathlib.Path)
    p.add_argument("--only", type=lambda s: s.split(","), default=[])
    p.add_argument("--share", default="0/1", help="I/N: the I-th of N worlds")
    a = p.parse_args()
    part, parts = map(int, a.share.split("/"))
    faults = [f for f in run.load(a.only, 1) if f.get("repair")][part::parts]
    a.work.mkdir(parents=True, exist_ok=True)
    wrong = 0
    with open(a.work / "verify.log", "a") as log:
        w = Bare(pathlib.Path("/"), a.work.resolve() / "w", log)
        try:
            w.up()
            for n, fault in enumerate(faults):
                found = verify(w, fault)
                wrong += isinstance(found, str)
                print("%3d/%d %-5s %-26s %-11s %s" % ((n + 1, len(faults)) + (("WRONG", fault["fault"], fault["host"], found) if isinstance(found, str) else ("ok", fault["fault"], fault["host"], found[1]))), flush=True)
                w.sh("end")
                w.sh("forget")
                w.sh("restore", *run.HOSTS)
                if not run.until(w.well, 20):
                    w.sh("restore", *run.HOSTS)
        finally:
            w.sh("down")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
