"""Similar incidents (1-NN, leave one out) and runbooks found from alert texts: kedge analyze match."""
import glob, gzip, json, os, re, subprocess, sys, tempfile
from rows import DATA, SCORERS, kedge, row

SETS = ["DEPL_SEQ", "DEPL_LCS_with_VMM", "STO_SEQ", "STO_LCS_with_VMM"]


def score(truth, answers, folder):
    path = os.path.join(folder, "answers.jsonl")
    with open(path, "wb") as f:
        f.write(answers)
    return json.loads(subprocess.run([sys.executable, SCORERS + "/match_score.py", truth, path, "--json"],
                                     stdout=subprocess.PIPE, check=True).stdout)


def incidents(folder):
    for name in SETS:
        history = DATA + "match/openstack_%s.tsv.gz" % name
        labels = gzip.open(DATA + "match/openstack_%s_Failure_Labels.txt.gz" % name.split("_")[0], "rt").read().split()
        truth = os.path.join(folder, "truth.jsonl")
        with open(truth, "w") as f:
            f.writelines(json.dumps({"id": str(i + 1), "answer": l}) + "\n" for i, l in enumerate(labels))
        s = score(truth, kedge("analyze", "match", "--history", history, "--queries", history), folder)
        seq = name.endswith("SEQ")
        row("similar incidents, 1-NN", name, s["P@1"], n=s["n"], must=.965 if seq else None, aim=.985 if seq else None,
            peers=".966; .76, on other sets")


def tokens(text):
    return re.findall(r"[a-z0-9]+", text.lower())


def bm25(documents, queries):
    """The peer: BM25 (k1 1.2, b .75) over words as they stand."""
    import collections, math
    counts = {d: collections.Counter(tokens(t)) for d, t in documents.items()}
    having = collections.Counter(w for c in counts.values() for w in c)
    average = sum(sum(c.values()) for c in counts.values()) / len(counts)
    right = 0
    for q in queries:
        words = set(tokens(q["query"]))
        best = max(counts, key=lambda d: sum(
            math.log(1 + (len(counts) - having[w] + .5) / (having[w] + .5)) * counts[d][w] * 2.2 /
            (counts[d][w] + 1.2 * (.25 + .75 * sum(counts[d].values()) / average)) for w in words if w in counts[d]))
        right += best == q["answer"]
    return right / len(queries)


def ask(what, documents, queries, folder, **limits):
    books, truth = os.path.join(folder, what), os.path.join(folder, what + ".jsonl")
    os.mkdir(books)
    for name, text in documents.items():
        with open(os.path.join(books, name + ".md"), "w", encoding="utf-8") as f:
            f.write(text)
    with open(truth, "w", encoding="utf-8") as f:
        f.writelines(json.dumps(q) + "\n" for q in queries)
    s = score(truth, kedge("analyze", "match", "--documents", books, "--queries", truth), folder)
    row("runbook from alert, P@1", what, s["P@1"], n=s["n"], peers="BM25 %.3f here" % bm25(documents, queries), **limits)


def rules():
    """Alerting rules as a second corpus: by name and expression for their description, and the other way round."""
    found, name, text = [], None, gzip.open(DATA + "kb/awesome-prometheus-alerts-rules.yml.gz", "rt").read()
    for line in text.split("\n"):
        m = re.match(r"(\s*)- name: (.*)", line)
        if m:
            name = {"name": m[2].strip("\"' ")} if len(m[1]) > 6 else None
            continue
        m = re.match(r"\s+(description|query): (.*)", line)
        if m and name is not None:
            name[m[1]] = m[2].strip("\"' ")
            if m[1] == "description":
                found.append(name)
    return {"".join(w[:1].upper() + w[1:] for w in re.findall(r"[A-Za-z0-9]+", r["name"])): r for r in found}


def main():
    with tempfile.TemporaryDirectory() as folder:
        incidents(folder)
        books = {os.path.basename(p)[:-3]: open(p, encoding="utf-8").read() for p in glob.glob(DATA + "kb/runbooks/*.md")}
        queries = [json.loads(l) for l in open(DATA + "kb/queries.jsonl", encoding="utf-8")]
        ask("runbooks", books, queries, folder, must=.87, aim=.93)
        r = rules()
        expression = {k: "\n```\n%s\n```\n" % v.get("query", "") for k, v in r.items()}
        ask("rules_by_description", {k: "# %s\n%s" % (k, expression[k]) for k in r},
            [{"id": k, "query": v["description"], "answer": k} for k, v in r.items()], folder)
        ask("rules_by_name", {"d%04d" % i: v["description"] + expression[k] for i, (k, v) in enumerate(r.items())},
            [{"id": k, "query": v["name"], "answer": "d%04d" % i} for i, (k, v) in enumerate(r.items())], folder)


main()
