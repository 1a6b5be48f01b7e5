#!/usr/bin/python3
"""report.py RESULTS.jsonl… [--fit FILE --version NAME] [--must PERCENT]: what the bench of faults found, as tables.

Set by set (as faults.tsv tells them apart), and by kind in each: how often the first fix worked, with Wilson's interval; how often the first
suspect was the true cause; and the rate of those faults that a declared action or a restore point can mend, where some are of the other
sort.  Then what the confidences of each set, and of all, are worth: in bins, the expected calibration error, the accuracy of those that are 0.95 or more.  The map from the share of a
score, and from what the suspicion rests on, to a confidence is judged on each kind by a fit that has not seen that kind; --fit writes the
one that is fitted on all of them, with these figures, as the file that the product is built with.
"""
import argparse
import collections
import hashlib
import json
import math
import sys


def wilson(good, n, z=1.96):
    if not n:
        return 0.0, 1.0
    p, d = good / n, 1 + z * z / n
    middle, half = (p + z * z / (2 * n)) / d, z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / d
    return middle - half, middle + half


ORDER = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
DOUBT = 10  # answers that each bin is given beforehand, which are right as often as their share says: injected faults are not all there are
GROUND_DOUBT = 2  # answers that each ground is given beforehand, one of them right
UNSEEN = {"dependency": 0.75, "history": 0.75}  # grounds that no injected fault has shown: no surer than this


def fit(answers):
    """From 0.5 on, in bins of a tenth: points (share, confidence), rising; and for each ground how often it is right at most."""
    points, last = [], 0.5
    for k in range(5, 10):
        mine = [(r["share"], r["rank"] == 1) for r in answers if k / 10 <= r["share"] < (k + 1) / 10 + (k == 9)]
        middle = sum(s for s, _ in mine) / len(mine) if mine else k / 10 + 0.05
        last = max(last, (sum(r for _, r in mine) + DOUBT * middle) / (len(mine) + DOUBT))
        points.append((round(middle, 4), round(last, 4)))
    grounds = dict(UNSEEN)
    for ground in sorted({r["ground"] for r in answers if r.get("ground")}):
        mine = [r["rank"] == 1 for r in answers if r.get("ground") == ground]
        grounds[ground] = round(max(0.5, (sum(mine) + GROUND_DOUBT / 2) / (len(mine) + GROUND_DOUBT)), 4)
    return points, grounds


def apply(fitted, share, ground):
    points, grounds = fitted
    if share < 0.5 or not points:
        return share
    value = points[-1][1]
    for (x0, y0), (x1, y1) in zip([(0.5, 0.5)] + points, points):
        if share <= x1:
            value = y0 + (y1 - y0) * (share - x0) / max(x1 - x0, 1e-9)
            break
    return min(value, grounds.get(ground, 1))


def calibration_error(pairs, bins=10):
    cells = collections.defaultdict(list)
    for confidence, right in pairs:
        cells[min(int(confidence * bins), bins - 1)].append((confidence, right))
    n = max(len(pairs), 1)
    return sum(abs(sum(c for c, _ in v) / len(v) - sum(r for _, r in v) / len(v)) * len(v) / n for v in cells.values()), cells


def tell_line(name, rows):
    good, first = sum(r["worked"] for r in rows), sum(r["rank"] == 1 for r in rows)
    low, high = wilson(good, len(rows))
    print("%-15s %7d %7.1f%%  %4.1f to %5.1f %7.1f%% %10d %9.1f" % (name, len(rows), 100 * good / len(rows), 100 * low, 100 * high, 100 * first / len(rows),
          sum(r["abstained"] for r in rows), sorted(r["seconds"] for r in rows)[len(rows) // 2]))


def tell_faults(rows, name):
    print("%-15s %7s %8s  %-13s %8s %10s %9s" % ("kind", "faults", "worked", "Wilson 95 %", "cause@1", "abstained", "seconds"))
    for kind in sorted({r["kind"] for r in rows}):
        tell_line(kind, [r for r in rows if r["kind"] == kind])
    tell_line("set " + name, rows)
    able = [r for r in rows if r.get("repair") != "none"]
    if len(able) < len(rows):
        tell_line("mendable", able)
    for r in rows:
        if not r["worked"]:
            print("  not: %-26s %-6s rank %d conf %.2f  %-34s %s%s" % (r["fault"], r["host"], r["rank"], r["confidence"], r["action"], r["why"][:90], "; mends it: " + r["repair"] if r.get("repair") else ""))


def tell_confidence(name, pairs, bins=True):
    ece, cells = calibration_error(pairs)
    sure = [r for c, r in pairs if c >= 0.95]
    print("\n%s: ECE %.3f; given at .95 and more: %d of %d, right %.3f" % (name, ece, len(sure), len(pairs), sum(sure) / len(sure) if sure else float("nan")))
    for k in sorted(cells) if bins else []:
        v = cells[k]
        print("  %.1f to %.1f   %3d answers   said %.2f   right %.2f" % (k / 10, (k + 1) / 10, len(v), sum(c for c, _ in v) / len(v), sum(r for _, r in v) / len(v)))
    return ece, len(sure), sum(sure) / len(sure) if sure else 0.0


def main():
    p = argparse.ArgumentParser()
    p.add_argument("results", nargs="+")
    p.add_argument("--fit")
    p.add_argument("--version", default="1")
    p.add_argument("--must", type=float)
    a = p.parse_args()
    rows = [json.loads(line) for f in a.results for line in open(f) if line.strip()]
    if not rows:
        sys.exit("there are no results")
    kinds = sorted({r["kind"] for r in rows})
    sets = list(dict.fromkeys(sorted((r.get("set", "first") for r in rows), key=lambda s: (ORDER.index(s) if s in ORDER else len(ORDER), s))))
    for name in sets:
        mine = [r for r in rows if r.get("set", "first") == name]
        print("%s== set %s: %d faults, %d kinds ==" % ("" if name == sets[0] else "\n", name, len(mine), len({r["kind"] for r in mine})))
        tell_faults(mine, name)
    if len(sets) > 1:
        print("\n== all sets ==")
        tell_line("all", rows)
    answers = [dict(r, share=r.get("share", r["confidence"])) for r in rows if not r["abstained"]]
    for name in sets if len(sets) > 1 else []:
        tell_confidence("confidence as given, set %s" % name, [(r["confidence"], r["rank"] == 1) for r in answers if r.get("set", "first") == name], False)
    tell_confidence("confidence as given", [(r["confidence"], r["rank"] == 1) for r in answers])
    held = []
    for kind in sorted({r["kind"] for r in answers}):
        fitted = fit([r for r in answers if r["kind"] != kind])
        held += [(apply(fitted, r["share"], r.get("ground")), r["rank"] == 1) for r in answers if r["kind"] == kind]
    ece, sure, right = tell_confidence("calibrated without the kind that is judged", held)
    if a.fit:
        text = "".join(json.dumps({k: r[k] for k in ("kind", "fault", "host", "rank", "ground")} | {"share": round(r["share"], 4)}, sort_keys=True) + "\n"
                       for r in sorted(answers, key=lambda r: (r["kind"], r["fault"], r["host"])))
        with open(a.fit, "w") as out:
            out.write("# What the share of a score is worth as a confidence: fitted by tests/bench/faults.sh on faults that were injected.\n"
                      "name: root-cause\nversion: \"%s\"\ntraining: %s\nexamples: %d\nkinds: [%s]\nheld_back_ece: %.4f\nheld_back_sure: %d\nheld_back_sure_right: %.4f\npoints:\n" %
                      (a.version, hashlib.sha256(text.encode()).hexdigest(), len(answers), ", ".join(kinds), ece, sure, right))
            points, grounds = fit(answers)
            for share, confidence in points:
                out.write("  - { share: %.4f, confidence: %.4f }\n" % (share, confidence))
            out.write("grounds:\n")
            for ground in sorted(grounds):
                out.write("  - { ground: %s, most: %.4f }\n" % (ground, grounds[ground]))
    good = sum(r["worked"] for r in rows)
    if a.must and 100 * good / max(len(rows), 1) < a.must:
        sys.exit("only %d of %d worked" % (good, len(rows)))


if __name__ == "__main__":
    main()
