#!/usr/bin/env python3
"""Section of tests/bench/diagnosis.sh: anomalies in series, and in sessions of events.

    KEDGE=bin/kedge DATA=…/data SCORERS=…/scorers series.py

Runs the commands over the files as they lie there, scores with the given scorers, prints a table: ours beside what peers
have published, every group of files apart, proportions with Wilson's interval of 95 %.  Exit 77: there is no data.
"""
import gzip
import json
import math
import os
import subprocess
import sys
import tempfile
import time

KEDGE, DATA, SCORERS = (os.environ.get(k, '') for k in ('KEDGE', 'DATA', 'SCORERS'))
NORMALS_IN_NATURE = 558223  # sessions of the whole set without an anomaly; the test file holds a sample of them


def wilson(k, n, z=1.96):
    if not n:
        return '-'
    p, d = k / n, 1 + z * z / n
    c, h = (p + z * z / 2 / n) / d, z * math.sqrt(p * (1 - p) / n + z * z / 4 / n / n) / d
    return '%.3f [%.3f, %.3f] of %d' % (p, c - h, c + h, n)


def row(*cells):
    print('  %-34s %-12s %s' % cells)


def files_under(folder):
    for root, _, names in sorted(os.walk(folder)):
        for name in sorted(names):
            if name.endswith(('.csv', '.csv.gz')):
                yield os.path.relpath(os.path.join(root, name), folder)


def analyze(folder, out, *options):
    """Every series of a folder; returns rows a second, start of the program included."""
    rows, began = 0, time.monotonic()
    for name in files_under(folder):
        to = os.path.join(out, name.removesuffix('.gz'))
        os.makedirs(os.path.dirname(to), exist_ok=True)
        with open(to, 'w') as f:
            subprocess.run([KEDGE, 'analyze', 'series', os.path.join(folder, name), *options], stdout=f, check=True)
        rows += sum(1 for _ in open(to))
    return rows / (time.monotonic() - began)


def scored(scorer, *words):
    return json.loads(subprocess.run([sys.executable, os.path.join(SCORERS, scorer), *words], check=True,
                                     capture_output=True, text=True).stdout)


def nab(out):
    folder = os.path.join(DATA, 'tsad/nab')
    speed = analyze(os.path.join(folder, 'data'), out)
    names = [n.removesuffix('.gz') for n in files_under(os.path.join(folder, 'data'))]

    def score(part):
        chosen = os.path.join(out, 'files')
        with open(chosen, 'w') as f:
            f.write('\n'.join(part))
        return scored('tsad_score.py', folder, out, '--files', chosen)

    print('NAB, standard profile, one threshold of 0.5 and one configuration'
          '  (peers, thresholds swept on the test: CAD OSE 68.6, Numenta HTM 67.5)')
    whole = score(names)
    row('all %d files' % whole['files'], '%.1f' % whole['NAB_standard'],
        'low FP %.1f, low FN %.1f; windows hit %s' % (
            whole['NAB_reward_low_FP_rate'], whole['NAB_reward_low_FN_rate'],
            wilson(round(whole['event_recall'] * whole['windows']), whole['windows'])))
    for group in sorted({n.split('/')[0] for n in names}):
        s = None
        part = [n for n in names if n.startswith(group + '/')]
        windows = json.load(open(os.path.join(folder, 'labels/combined_windows.json')))
        if any(windows[n] for n in part):
            s = score(part)
            row(group, '%.1f' % s['NAB_standard'], 'windows hit %s; %.2f false alarms per 1,000 rows' % (
                wilson(round(s['event_recall'] * s['windows']), s['windows']), s['event_false_alarms_per_1000']))
        else:
            alarms = sum(float(x) >= .5 for n in part for x in list(open(os.path.join(out, n)))[600:])
            row(group, '-', '%d alarms in %d files without an anomaly, behind their first 600 rows' % (alarms, len(part)))
    print('  %.0f k rows/s, one process a file' % (speed / 1000))


def production(out):
    folder = os.path.join(DATA, 'tsad/mscloud')
    analyze(folder, out)

    def score(sub=''):
        return scored('tsad_score.py', '--points', os.path.join(folder, sub), os.path.join(out, sub))

    def told(s):
        p = s['pooled']
        hit = round(p['recall'] * s['events']) if s['events'] else 0
        return 'events hit %s; false alarms per 1,000 clean points %.2f' % (
            wilson(hit, s['events']), s['false_alarms_on_clean_series_per_1000'])

    print('production series, labelled by people, same threshold and configuration  (macro F1; no peer has published one)')
    whole = score()
    row('all %d series' % whole['series'], '%.3f' % whole['macro_F1_over_labelled_series'], told(whole))
    for group in sorted(os.listdir(folder)):
        if not os.path.isdir(os.path.join(folder, group)):
            continue
        try:
            s = score(group)
            row(group, '%.3f' % s['macro_F1_over_labelled_series'], told(s))
        except subprocess.CalledProcessError:  # the scorer has no mean over no labelled series
            alarms = sum(float(x) >= .5 for n in files_under(os.path.join(out, group))
                         for x in list(open(os.path.join(out, group, n))))
            row(group, '-', '%d alarms, no labelled series' % alarms)


def sessions(out):
    folder = os.path.join(DATA, 'logad')
    print('sessions of log events, learnt from normal ones alone  (peers, tuned for each system: .97 to .99)')
    for name in sorted(os.listdir(folder)):
        if not name.endswith('_test.tsv.gz'):
            continue
        system = name.removesuffix('_test.tsv.gz')
        test, train = os.path.join(folder, name), os.path.join(folder, system + '_train_normal.tsv.gz')
        told, labels = os.path.join(out, 'told'), os.path.join(out, 'labels')
        began = time.monotonic()
        with open(told, 'w') as f:
            subprocess.run([KEDGE, 'analyze', 'sequences', '--train', train, test], stdout=f, check=True)
        took = time.monotonic() - began
        with gzip.open(test, 'rt') as src, open(labels, 'w') as dst:
            dst.writelines(src)
        s = scored('logad_score.py', labels, told, '--normals-in-nature', str(NORMALS_IN_NATURE))
        row(system, 'F1 %.4f' % s['F1'], 'F1 with all normal sessions %.3f; found %s; normal ones called so %s; %.1f s' % (
            s['F1_natural'], wilson(round(s['TPR'] * s['anomalies']), s['anomalies']),
            wilson(round(s['FPR'] * s['normals']), s['normals']), took))


def main():
    if not (KEDGE and os.path.isdir(os.path.join(DATA, 'tsad')) and os.path.isdir(SCORERS)):
        print('series: skipped, no data (KEDGE, DATA and SCORERS name the program, the data and the scorers)')
        return 77
    for part in (nab, production, sessions):
        with tempfile.TemporaryDirectory() as out:
            part(out)
    return 0


if __name__ == '__main__':
    sys.exit(main())
