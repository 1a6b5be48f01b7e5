#!/usr/bin/env python3
"""Section of tests/bench/diagnosis.sh: root causes.

    KEDGE=bin/kedge DATA=…/data SCORERS=…/scorers cause.py [--calibrate]

Ranks every case, prints each system apart beside what peers have published, proportions with Wilson's interval of 95 %.
Nothing of the ranking is fitted to these cases but the four numbers of its confidence (controller/cause/model.c):
--calibrate fits them anew, and leaves out one system, then one kind of fault, at a time.  So that weak evidence is seen
too, the fit uses the cases once more with something taken away each time: history, metrics, spans, graph, alarm.
Exit 77: there is no data.
"""
import json
import math
import os
import subprocess
import sys
import tempfile
import time

KEDGE, DATA, SCORERS = (os.environ.get(k, '') for k in ('KEDGE', 'DATA', 'SCORERS'))
RCA = os.path.join(DATA, 'rca')
PEERS = {
    'petshop': ('with a service graph', 'deepest anomalous callee .38/.77 (AC@1/AC@3)'),
    'onlineboutique': ('metrics and traces', 'Nezha .87/.98, MicroRank .16, metrics alone .1'),
    'sockshop': ('metrics alone', 'BARO .82/.93 here, .99 published (AC@1/Avg@5)'),
}
TRUST = {'flow': 2.0, 'symptom': 0.15}  # model.c: flow_trust, symptom_trust (the latter without a graph)
SURE = 0.95


def wilson(k, n, z=1.96):
    if not n:
        return '-'
    p, d = k / n, 1 + z * z / n
    c, h = (p + z * z / 2 / n) / d, z * math.sqrt(p * (1 - p) / n + z * z / 4 / n / n) / d
    return '%.3f [%.3f, %.3f] of %d' % (p, c - h, c + h, n)


def lines(path):
    with open(path) as f:
        return [json.loads(x) for x in f if x.strip()]


def ask(cases):
    """Answers by case, and the seconds that the whole took."""
    with tempfile.NamedTemporaryFile('w', suffix='.jsonl') as f:
        for c in cases:
            c = dict(c)
            for key in ('metrics', 'normal_metrics', 'graph', 'normal_spans', 'spans', 'normal_logs', 'logs'):
                if key in c:
                    c[key] = os.path.join(RCA, c[key])
            f.write(json.dumps(c) + '\n')
        f.flush()
        began = time.monotonic()
        out = subprocess.run([KEDGE, 'analyze', 'cause', '--cases', f.name], check=True, capture_output=True, text=True)
        took = time.monotonic() - began
    return {a['case']: a for a in map(json.loads, out.stdout.splitlines())}, took


def place(answer, label):
    """Of the first right name in the ranking, from 0; None: it is not there."""
    return next((i for i, name in enumerate(answer['rank']) if name in label['root']), None)


def table(title, labels, answers):
    places = [place(answers[l['case']], l) for l in labels if l['case'] in answers]
    n = len(labels)
    hits = [sum(p is not None and p <= k for p in places) for k in range(5)]
    print('  %-34s AC@1 %s  AC@3 %.3f  Avg@5 %.3f' % (title, wilson(hits[0], n), hits[2] / n, sum(hits) / 5 / n))


def calibration(title, pairs):
    """pairs: (confidence, right)"""
    bins = [[0, 0.0, 0] for _ in range(10)]
    for c, right in pairs:
        b = bins[min(9, int(c * 10))]
        b[0] += 1
        b[1] += c
        b[2] += right
    error = sum(abs(b[1] - b[2]) for b in bins) / len(pairs)
    sure = [right for c, right in pairs if c >= SURE]
    print('  %-34s ECE %.3f  at %.2f and above: coverage %.2f, right %s' %
          (title, error, SURE, len(sure) / len(pairs), wilson(sum(sure), len(sure))))


def without(*keys):
    return lambda c: {k: v for k, v in c.items() if k not in keys}


def without_metric_of_alarm(c):
    return dict(c, alert={k: v for k, v in c['alert'].items() if k != 'metric'})


def quiet(c):
    return dict(c, abnormal=c['normal'])


WEAKER = {  # system: what is taken away
    'onlineboutique': [without('system'), without('metrics'), without('spans', 'normal_spans'), without('spans')],
    'petshop': [without_metric_of_alarm, without('graph'), without('normal_metrics')],
    'sockshop': [quiet],
}


def features(case, answer):
    """Logarithms of the first's trusted weight and of its lead, as model.c has them."""
    graph = 'graph' in case or 'spans' in case or 'normal_spans' in case
    score, trusted = {}, {}
    for e in answer.get('evidence', []):
        trust = TRUST.get(e['kind'], 1) if e['kind'] != 'symptom' or not graph else 1
        score[e['service']] = score.get(e['service'], 0) + e['weight']
        trusted[e['service']] = trusted.get(e['service'], 0) + e['weight'] * trust
    first, second = (answer['rank'] + ['', ''])[:2]
    a, b, weight = score.get(first, 0), score.get(second, 0), trusted.get(first, 0)
    return [1, math.log1p(weight), math.log1p(max(0, weight * (1 - b / a) if a > 0 else 0))]


def confidence(w, x):
    return 1 / (1 + math.exp(-sum(u * v for u, v in zip(w, x))))


def fit(samples, ridge=0.02):
    """Logistic regression by Newton's steps; samples: (weight, features, right)."""
    w = [0.0] * 3
    for _ in range(200):
        g = [-ridge * v for v in w]
        h = [[ridge * (i == j) for j in range(3)] for i in range(3)]
        for weight, x, right in samples:
            p = confidence(w, x)
            for i in range(3):
                g[i] += weight * (right - p) * x[i]
                for j in range(3):
                    h[i][j] += weight * p * (1 - p) * x[i] * x[j]
        rows = [h[i] + [g[i]] for i in range(3)]
        for i in range(3):
            k = max(range(i, 3), key=lambda r: abs(rows[r][i]))
            rows[i], rows[k] = rows[k], rows[i]
            for r in range(3):
                if r != i:
                    f = rows[r][i] / rows[i][i]
                    rows[r] = [u - f * v for u, v in zip(rows[r], rows[i])]
        step = [max(-2, min(2, rows[i][3] / rows[i][i])) for i in range(3)]
        w = [u + v for u, v in zip(w, step)]
        if max(map(abs, step)) < 1e-9:
            break
    return w


def calibrate(cases, labels, answers):
    by = {l['case']: l for l in labels}
    samples = [(1, features(c, answers[c['case']]), place(answers[c['case']], by[c['case']]) == 0, c) for c in cases]
    own = list(samples)
    for system, ways in WEAKER.items():
        for way in ways:
            some = [way(c) for c in cases if c['system'] == system]
            got, _ = ask(some)
            samples += [(0.4, features(c, got[c['case']]), place(got[c['case']], by[c['case']]) == 0, c) for c in some]
    print('  fitted to all: bias %.2f, weight %.2f, lead %.2f' % tuple(fit([s[:3] for s in samples])))
    for what in ('system', 'type'):
        for value in sorted({l[what] for l in labels}):
            w = fit([s[:3] for s in samples if by[s[3]['case']][what] != value])
            calibration('left out: ' + value, [(confidence(w, s[1]), s[2]) for s in own if by[s[3]['case']][what] == value])


def main():
    if not os.path.exists(os.path.join(RCA, 'cases.jsonl')):
        print('root causes: no data in %s' % RCA)
        return 77
    cases, labels = lines(os.path.join(RCA, 'cases.jsonl')), lines(os.path.join(RCA, 'labels.jsonl'))
    answers, took = ask(cases)
    print('root causes: %d cases in %.1f s' % (len(cases), took))
    for system in sorted({l['system'] for l in labels}):
        what, peer = PEERS.get(system, ('', ''))
        table('%s, %s' % (system, what), [l for l in labels if l['system'] == system], answers)
        print('  %-34s %s' % ('', 'peers: ' + peer))
    for kind in sorted({l['type'] for l in labels}):
        table('fault: ' + kind, [l for l in labels if l['type'] == kind], answers)
    cold = [ask([c]) for c in cases]
    table('each in a process of its own', labels, {k: a for got, _ in cold for k, a in got.items()})
    print('  %-34s %.2f s at most, %.2f s on average' %
          ('… cold, with the start', max(t for _, t in cold), sum(t for _, t in cold) / len(cold)))
    calibration('confidence, as shipped', [(answers[l['case']]['conf'], place(answers[l['case']], l) == 0) for l in labels])
    if '--calibrate' in sys.argv:
        calibrate(cases, labels, answers)
    return 0


if __name__ == '__main__':
    sys.exit(main())
