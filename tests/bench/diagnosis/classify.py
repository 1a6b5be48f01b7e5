"""Classes of errors: kedge analyze classify, each system by a model that was trained on the others alone."""
import json, os, subprocess, sys, tempfile
from rows import DATA, SCORERS, kedge, mean, note, row

PATH = DATA + "errcls/messages.jsonl"
JUDGED = os.environ.get("JUDGED")  # what corpus.py printed: more systems to measure confidence on, as the shipped model has


def score(truth, answers, folder):
    names = []
    for name, items in (("truth", truth), ("answers", answers)):
        names.append(os.path.join(folder, name + ".jsonl"))
        with open(names[-1], "w", encoding="utf-8") as f:
            f.writelines(json.dumps(i) + "\n" for i in items)
    return json.loads(subprocess.run([sys.executable, SCORERS + "/classify_score.py", *names, "--json"],
                                     stdout=subprocess.PIPE, check=True).stdout)


def held_back(system, messages, folder):
    others, asked, model = (os.path.join(folder, n) for n in ("others.jsonl", "asked.jsonl", "others.model"))
    with open(others, "w", encoding="utf-8") as f:
        f.writelines(json.dumps(m) + "\n" for m in messages if m["system"] != system)
        if JUDGED:
            with open(JUDGED, encoding="utf-8") as more:
                f.write(more.read())
    with open(asked, "w", encoding="utf-8") as f:
        f.writelines(json.dumps({"id": m["id"], "text": m["text"]}) + "\n" for m in messages if m["system"] == system)
    kedge("diagnosis", "model", "train", others, "--out", model, "-o", "json")
    return [json.loads(l) for l in kedge("analyze", "classify", asked, "--model", model).splitlines()]


def main():
    messages = [json.loads(l) for l in open(PATH, encoding="utf-8")]
    systems = sorted({m["system"] for m in messages})
    answers, accuracy, f1 = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        for system in systems:
            mine = held_back(system, messages, folder)
            s = score([m for m in messages if m["system"] == system], mine, folder)
            row("error class, accuracy", system, s["accuracy"], n=s["n"])
            row("", "  macro-F1", s["macro_F1"])
            c = s["calibration"]
            sure = round(c["cov@0.95"] * c["n"])
            if sure:
                row("", "  conf >= .95, accuracy", c["acc@0.95"], n=sure)
            row("", "  conf >= .95, coverage", c["cov@0.95"])
            row("", "  ECE", c["ECE"])
            answers += mine
            accuracy.append(s["accuracy"])
            f1.append(s["macro_F1"])
        s = score(messages, answers, folder)
    c = s["calibration"]
    row("error class, accuracy", "all messages", s["accuracy"], n=s["n"], must=.68, aim=.75, peers="logistic regression .62, on other systems")
    row("error class, macro-F1", "all messages", s["macro_F1"], must=.50, aim=.60, peers="logistic regression .39, on other systems")
    row("error class, accuracy", "mean of systems", mean(accuracy))
    row("error class, macro-F1", "mean of systems", mean(f1))
    sure = round(c["cov@0.95"] * c["n"])
    if sure:
        row("answers with conf >= .95", "accuracy", c["acc@0.95"], n=sure, must=.95, peers=".89, on other systems")
    row("answers with conf >= .95", "coverage", c["cov@0.95"], must=.15, aim=.30)
    row("error class, ECE", "all messages", c["ECE"], must=.06)
    if not JUDGED:
        note("Confidence is measured on five systems each here; the shipped model's on these and 22 more (JUDGED, corpus.py).")


main()