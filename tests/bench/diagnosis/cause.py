#!/usr/bin/env python3
"""Section of tests/bench/diagnosis.sh: root causes.

    tests/bench/diagnosis.sh cause
    PYTHONPATH=tests/bench/diagnosis KEDGE=bin/kedge DATA=…/data cause.py --calibrate

Ranks every case, prints each system apart beside what peers have published, proportions with Wilson's interval of 95 %.
Nothing of the ranking is fitted to these cases but the four numbers of its confidence (controller/cause/model.c):
--calibrate fits them anew, and leaves out one system, then one kind of fault, at a time.  So that weak evidence is seen
too, the fit uses the cases once more with something taken away each time: history, metrics, spans, graph, alarm.
Exit 77: there is no data.
"""
import json
import math
import os
import random
import subprocess
import sys
import tempfile
import time

from rows import DATA, KEDGE, head, note, row

RCA = os.path.join(DATA, 'rca')
GOALS = {  # system: what there is of it, (must, aim) of AC@1, of what is said beside it, peers
    'petshop': ('service graph', (.93, .98), ('AC@3', .98, 1.0), 'deepest anomalous callee .38, AC@3 .77'),
    'onlineboutique': ('metrics and traces', (.80, .88), ('AC@3', .93, .98), 'Nezha .87, AC@3 .98; MicroRank .16; metrics alone .1'),
    'sockshop': ('metrics alone', (.92, .95), ('Avg@5', .97, .99), 'BARO .82, Avg@5 .93 (published .99)'),
}
TRUST = {'flow': 2.0, 'symptom': 0.15}  # model.c: flow_trust, symptom_trust (the latter without a graph)
SURE = 0.95


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


def hits(labels, answers):
    """AC@1 to AC@5; a case without an answer is wrong."""
    places = [place(answers[l['case']], l) for l in labels if l['case'] in answers]
    return [sum(p is not None and p <= k for p in places) / len(labels) for k in range(5)]


def by_system(system, labels, answers):
    some = [l for l in labels if l['system'] == system]
    what, (must, aim), (beside, must_beside, aim_beside), peers = GOALS.get(system, ('', (None, None), ('AC@3', None, None), ''))
    ac = hits(some, answers)
    row('cause, ' + what, system + ' AC@1', ac[0], n=len(some), must=must, aim=aim, peers=peers)
    row('', system + ' ' + beside, ac[2] if beside == 'AC@3' else sum(ac) / 5, must=must_beside, aim=aim_beside)
    return ac[0]


def error_of(pairs):
    """The expected calibration error, ten bins."""
    bins = [[0, 0.0, 0] for _ in range(10)]
    for c, right in pairs:
        b = bins[min(9, int(c * 10))]
        b[0] += 1
        b[1] += c
        b[2] += right
    return sum(abs(b[1] - b[2]) for b in bins) / len(pairs)


def chance(pairs, times=2000):
    """What so few answers would show if every confidence were true: the mean, and what one in twenty exceeds."""
    draw = random.Random(1)
    found = sorted(error_of([(c, draw.random() < c) for c, _ in pairs]) for _ in range(times))
    return sum(found) / times, found[times * 19 // 20]


def calibration(title, pairs, must=(None, None, None), aim=(None, None, None)):
    """pairs: (confidence, right)"""
    error = error_of(pairs)
    sure = [right for c, right in pairs if c >= SURE]
    row('cause, confidence', title + ' ECE', error, must=must[0], aim=aim[0])
    row('', 'coverage of %.2f' % SURE, len(sure) / len(pairs), n=len(pairs), must=must[1], aim=aim[1])
    if sure:
        row('', '… right', sum(sure) / len(sure), n=len(sure), must=must[2], aim=aim[2])


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
    note('fitted to all: bias %.2f, weight %.2f, lead %.2f' % tuple(fit([s[:3] for s in samples])))
    for what in ('system', 'type'):
        pairs, weak = [], []
        for value in sorted({l[what] for l in labels}):
            w = fit([s[:3] for s in samples if by[s[3]['case']][what] != value])
            some = [(confidence(w, s[1]), s[2]) for s in samples if by[s[3]['case']][what] == value]
            mine = some[:sum(by[s[3]['case']][what] == value for s in own)]  # own come first
            calibration('without ' + value, mine)
            note('of %d answers; perfectly calibrated ones would show an ECE of %.3f, one in twenty more than %.3f'
                 % (len(mine), *chance(mine)))
            pairs += mine
            weak += some[len(mine):]
        calibration('each %s left out' % what, pairs, must=(.10, .5, .95), aim=(.10, .7, .95))
        calibration('… something taken away', weak, must=(.10, None, .95), aim=(.10, None, .95))


def main():
    if not os.path.exists(os.path.join(RCA, 'cases.jsonl')):
        print('no data in %s' % RCA)
        return 77
    cases, labels = lines(os.path.join(RCA, 'cases.jsonl')), lines(os.path.join(RCA, 'labels.jsonl'))
    answers, took = ask(cases)
    head()
    first = {s: by_system(s, labels, answers) for s in sorted({l['system'] for l in labels})}
    if 'petshop' in first and 'onlineboutique' in first:
        row('cause, graph and traces', 'mean AC@1', (first['petshop'] + first['onlineboutique']) / 2, must=.87, aim=.92)
    for kind in sorted({l['type'] for l in labels}):
        some = [l for l in labels if l['type'] == kind]
        row('cause, by kind of fault', kind + ' AC@1', hits(some, answers)[0], n=len(some))
    cold = [ask([c]) for c in cases]
    ac = hits(labels, {k: a for got, _ in cold for k, a in got.items()})
    row('cause, cold', 'AC@1, no history', ac[0], n=len(labels))
    row('', 's a case, at most', max(t for _, t in cold), must=5, aim=1)
    note('%d cases in one run: %.1f s' % (len(cases), took))
    pairs = [(answers[l['case']]['conf'], place(answers[l['case']], l) == 0) for l in labels]
    calibration('as shipped', pairs, must=(.10, .5, .95), aim=(.10, .7, .95))
    if '--calibrate' in sys.argv:
        calibrate(cases, labels, answers)
    return 0


if __name__ == '__main__':
    sys.exit(main())
