"""Sessions of systems that do not exist, from a seed: what a detector of strange sessions must stand without being told.

usage: standins.py DIR [SEED]     writes DIR/SYSTEM.train and DIR/SYSTEM.test (session TAB label TAB events)

A system is a random program of steps in order, choices, loops, steps that run beside each other and rare but normal
branches, or a crowd of daemons with a long tail of rare lines.  What is strange is made as faults make it: a step is
missing, two change places, an error of a known or of an unknown kind turns up (alone, repeated, with the rest cut off),
a loop turns far too often, a session breaks off.  A fault that leaves no trace is none: what is strange must differ from
thousands of normal sessions that no detector is shown (Witness).
"""
import collections, itertools, math, os, random, sys


def poisson(r, mean):
    if mean > 50:
        return max(0, round(r.gauss(mean, math.sqrt(mean))))
    n, p, least = 0, r.random(), math.exp(-mean)
    while p > least:
        n, p = n + 1, p * r.random()
    return n


class Program:
    """A tree of ("step", name), ("all", parts), ("one of", weights, parts), ("loop", mean, spread, part),
    ("beside", parts), ("maybe", chance, part)."""

    def __init__(self, r, steps, depth=3, loops=.25, beside=.15, maybe=.15, rare=.1, load=0.0):
        self.r, self.names, self.load = r, 0, load
        self.shape = (loops, beside, maybe, rare)
        parts, each = [], max(1, steps // 6)
        while self.names < steps:
            parts.append(self.make(each, depth))
        self.root = ("all", parts)
        self.always = [p for p in parts if p[0] != "maybe"]
        self.errors = ["err%d" % i for i in range(max(3, steps // 4))]

    def step(self):
        self.names += 1
        return ("step", "E%d" % self.names)

    def make(self, size, depth):
        r, (loops, beside, maybe, rare) = self.r, self.shape
        if size <= 1 or depth == 0:
            return self.step()
        x = r.random()
        if x < loops:
            return ("loop", r.choice([1, 2, 3, 3, 6, 12]), r.choice([0, 0, .3, .8]), self.make(size // 2 or 1, depth - 1))
        x -= loops
        if x < beside:
            return ("beside", [self.make(size // 3 or 1, depth - 1) for _ in range(r.choice([2, 3]))])
        x -= beside
        if x < maybe:
            return ("maybe", r.choice([.5, .2, .05]), self.make(size // 2 or 1, depth - 1))
        x -= maybe
        if x < rare:
            return ("maybe", r.choice([.01, .003, .001]), self.make(size // 2 or 1, depth - 1))
        x -= rare
        if x < .15:
            n = r.choice([2, 3])
            return ("one of", [r.random() + .05 for _ in range(n)], [self.make(size // n or 1, depth - 1) for _ in range(n)])
        return ("all", [self.make(size // 3 or 1, depth - 1) for _ in range(3)])

    def run(self, r, node, load, more=None):
        """The events of one run; more = (node, times): that loop turns so many times as often."""
        kind = node[0]
        if kind == "step":
            return [node[1]]
        if kind == "all":
            return [e for part in node[1] for e in self.run(r, part, load, more)]
        if kind == "one of":
            return self.run(r, r.choices(node[2], node[1])[0], load, more)
        if kind == "maybe":
            return self.run(r, node[2], load, more) if r.random() < node[1] else []
        if kind == "beside":
            rows = [self.run(r, part, load, more) for part in node[1]]
            order = [i for i, row in enumerate(rows) for _ in row]
            r.shuffle(order)
            at = [iter(row) for row in rows]
            return [next(at[i]) for i in order]
        turns = node[1] * load if node[2] else node[1]
        if node[2]:
            turns = max(1, poisson(r, turns * math.exp(r.gauss(0, node[2]))))
        if more and more[0] is node:
            turns = round(turns * more[1]) + 2
        return [e for _ in range(int(turns)) for e in self.run(r, node[3], load, more)]

    def nodes(self, kind, node=None):
        node = node or self.root
        found = [node] if node[0] == kind else []
        for part in [p for x in node[1:] for p in (x if isinstance(x, list) else [x]) if isinstance(p, tuple)]:
            found += self.nodes(kind, part)
        return found

    def normal(self, r):
        return self.run(r, self.root, math.exp(r.gauss(0, self.load)))

    def strange(self, r):
        """One fault, of a kind drawn at random; where there is nothing that it could change, another one."""
        while True:
            kind = r.choice(["missing", "order", "unknown", "unknown", "cut", "often", "failed"])
            events = self.fault(r, kind, math.exp(r.gauss(0, self.load)))
            if events:
                return kind, events

    def fault(self, r, kind, load):
        if kind == "often":
            loops = [n for p in self.always for n in ([p] if p[0] == "loop" else [])]
            return loops and self.run(r, self.root, load, (r.choice(loops), r.choice([4, 8, 20])))
        rows = [self.run(r, p, load) for p in self.root[1]]
        firm = [i for i, p in enumerate(self.root[1]) if p in self.always]
        if kind == "missing":
            rows[r.choice(firm)] = []
        elif kind == "order":
            i, k = sorted(r.sample(firm, 2))
            if rows[i] == rows[k]:
                return None
            rows[i], rows[k] = rows[k], rows[i]
        events = [e for row in rows for e in row]
        if kind == "cut":
            return events[:max(1, int(len(events) * r.uniform(.1, .9)))]
        if kind in ("unknown", "failed"):
            at, error = r.randrange(len(events) + 1), r.choice(self.errors)
            times = r.choice([1, 1, 2, 5, 20])
            rest = events[at:] if r.random() < .5 else []
            if kind == "failed" and at:  # tried again and again, in words that are known
                return events[:at] + events[max(0, at - 3):at] * (times + 2) + rest
            return events[:at] + [error] * times + rest
        return events


class Crowd:
    """A session is what one machine said in a while: some of many daemons, each now and then, and a long tail of lines
    that occur once in many sessions, so that normal sessions bring new ones, too."""

    def __init__(self, r, daemons, tail, length, spread, slope=1.1):
        self.daemons = [Program(r, r.choice([2, 3, 5, 8]), 2) for _ in range(daemons)]
        self.tail = list(itertools.accumulate(i ** -slope for i in range(1, tail + 1)))
        self.length, self.spread = length, spread
        self.weights = [r.random() ** 3 + .02 for _ in range(daemons)]
        self.roles = [[w if r.random() < .5 else 0 for w in self.weights] for _ in range(4)]
        self.alerts = 12

    def normal(self, r):
        want = max(1, int(self.length * math.exp(r.gauss(0, self.spread))))
        role, events = r.choice(self.roles), []
        while len(events) < want:
            if r.random() < .02:
                events.append("T%d" % r.choices(range(len(self.tail)), cum_weights=self.tail)[0])
            else:
                d = r.choices(range(len(role)), [w + 1e-9 for w in role])[0]
                events += ["D%d.%s" % (d, e) for e in self.daemons[d].normal(r)]
        return events[:want]

    def strange(self, r):
        """An alert of a few kinds, common ones commoner, once or in a storm; one in ten is only of known lines."""
        events = self.normal(r)
        if r.random() < .1:
            at = r.randrange(len(events))
            return "storm", events[:at] + [r.choice(events)] * int(20 + len(events) * r.uniform(1, 3)) + events[at:]
        alert = "A%d" % min(self.alerts - 1, int(r.expovariate(.4)))
        for _ in range(r.choice([1, 1, 1, 3, 10, 100])):
            events.insert(r.randrange(len(events) + 1), alert)
        return "alert", events


class Calls:
    """Calls of programs to the system: few kinds, long sessions, of which a fault keeps the kinds and not the order."""

    def __init__(self, r, programs, steps, kinds):
        self.programs = [Program(r, steps, 3, loops=.4, load=.5) for _ in range(programs)]
        self.names = [{"E%d" % i: "c%d" % int(kinds * r.random() ** 2) for i in range(1, 400)} for _ in range(programs)]
        self.foreign = Program(r, 12, 2)
        self.kinds = kinds

    def normal(self, r):
        i = r.randrange(len(self.programs))
        return [self.names[i][e] for _ in range(r.choice([1, 2, 4, 8])) for e in self.programs[i].normal(r)]

    def strange(self, r):
        events = self.normal(r)
        other = ["c%d" % (hash_of(e) % self.kinds) for _ in range(r.choice([1, 3, 10])) for e in self.foreign.normal(r)]
        at = r.randrange(len(events) + 1)
        return "foreign", events[:at] + other + events[at:]


def hash_of(word):
    h = 0
    for c in word:
        h = h * 131 + ord(c)
    return h


class Windows:
    """So many lines in a row of many sessions at once: order says little, counts and kinds say more."""

    def __init__(self, r, size):
        self.programs, self.size = [Program(r, r.choice([4, 8]), 2) for _ in range(5)], size

    def normal(self, r):
        rows = []
        while sum(map(len, rows)) < self.size * 2:
            i = int(r.expovariate(.8)) % len(self.programs)
            rows.append(["P%d.%s" % (i, e) for e in self.programs[i].normal(r)])
        at, events = [0] * len(rows), []
        while len(events) < self.size:
            k = min(r.randrange(len(rows)), int(r.expovariate(.3)))
            while k < len(rows) and at[k] == len(rows[k]):
                k += 1
            if k == len(rows):
                break
            events.append(rows[k][at[k]])
            at[k] += 1
        return events

    def strange(self, r):
        events = self.normal(r)
        kind = r.choice(["unknown", "unknown", "storm", "silence"])
        if kind == "unknown":
            for _ in range(r.choice([1, 3, 10])):
                events.insert(r.randrange(len(events) + 1), "X%d" % min(5, int(r.expovariate(.5))))
        elif kind == "storm":
            events = events[:len(events) // 3] + [r.choice(events)] * (len(events) * 2 // 3)
        else:
            gone = {e for e in events if e.startswith("P0")}
            events = [e for e in events if e not in gone]
        return kind, events


class Short:
    """Sessions of one to six lines, as of logins; kinds of them are many, and new ones turn up."""

    def __init__(self, r):
        self.ways = [["S%d" % min(25, int(r.expovariate(.15))) for _ in range(r.choice([1, 1, 2, 3, 4, 6]))] for _ in range(40)]
        self.weights = [1 / (i + 1) ** 1.3 for i in range(len(self.ways))]

    def normal(self, r):
        return list(r.choices(self.ways, self.weights)[0])

    def strange(self, r):
        events = self.normal(r)
        kind = r.choice(["unknown", "often", "unknown"])
        if kind == "unknown":
            events.insert(r.randrange(len(events) + 1), "X%d" % r.randrange(8))
        else:
            events += [events[-1]] * r.choice([8, 20])
        return kind, events


class Valued:
    """Events whose names hold values that were not told from words: some of the steps are each of many kinds, and normal
    sessions bring kinds that were never seen."""

    def __init__(self, r, steps, part, values):
        self.program, self.values = Program(r, steps), values
        self.valued = {"E%d" % i for i in range(1, 400) if r.random() < part}

    def named(self, r, events):
        return [e + ":%d" % min(self.values, int(r.paretovariate(.7))) if e in self.valued else e for e in events]

    def normal(self, r):
        return self.named(r, self.program.normal(r))

    def strange(self, r):
        kind, events = self.program.strange(r)
        return kind, self.named(r, events)


class Sprinkled:
    """The life of a machine that a scheduler looks at now and then: a program, and lines of housekeeping anywhere between
    its steps, of which each session has another number."""

    def __init__(self, r, steps, kinds, mean):
        self.program, self.kinds, self.mean = Program(r, steps, 2, loops=.1, beside=.3, rare=.02), kinds, mean

    def with_others(self, r, events):
        for _ in range(poisson(r, self.mean * math.exp(r.gauss(0, .5)))):
            events.insert(r.randrange(len(events) + 1), "H%d" % r.randrange(self.kinds))
        return events

    def normal(self, r):
        return self.with_others(r, self.program.normal(r))

    def strange(self, r):
        kind, events = self.program.strange(r)
        return kind, self.with_others(r, events)


class Dirty:
    """What is learnt from was taken for normal, and is not all: some faults nobody saw."""

    def __init__(self, system, share):
        self.system, self.share, self.learning = system, share, True
        self.strange = system.strange

    def normal(self, r):
        return self.strange(r)[1] if self.learning and r.random() < self.share else self.system.normal(r)

    def later(self, r):
        self.learning = False


class Drifting(Crowd):
    """A crowd whose machines do other work when they are judged than when they were learnt from, in the same words; and
    of the seldom lines, others are the more frequent ones."""

    def later(self, r):
        self.roles = [[w * math.exp(r.gauss(0, .5)) for w in role] for role in self.roles]
        steps = [b - a for a, b in zip([0] + self.tail, self.tail)]
        self.tail = list(itertools.accumulate(s * math.exp(r.gauss(0, .7)) for s in steps))


class Operations:
    """A thing that is made, worked on and taken away: between its first and last steps any of some operations, in any
    order and number, each a program of its own; a fault is in one of them."""

    def __init__(self, r, operations, steps):
        self.first, self.last = Program(r, steps, 2, rare=.02), Program(r, steps, 2, rare=.02)
        self.operations = [Program(r, r.choice([4, 8, 12]), 2, rare=.02) for _ in range(operations)]
        self.weights = [r.random() ** 2 + .02 for _ in range(operations)]

    def parts(self, r):
        chosen = r.choices(range(len(self.operations)), self.weights, k=poisson(r, 2))
        return [("B", self.first)] + [("O%d" % i, self.operations[i]) for i in chosen] + [("Z", self.last)]

    def normal(self, r):
        return [name + "." + e for name, program in self.parts(r) for e in program.normal(r)]

    def strange(self, r):
        parts = self.parts(r)
        at, events = r.randrange(len(parts)), []
        for i, (name, program) in enumerate(parts):
            kind, own = program.strange(r) if i == at else ("", program.normal(r))
            told = kind or told if i else kind
            events += [name + "." + e for e in own]
            if kind == "cut":
                break
        return told, events


class Applications:
    """An application is what all its workers say, in one log: as many as the work needs, each with its own program, at
    once; some of their attempts fail and are made again when all is well, too.  A fault makes many of them fail, in
    known words, or loses a machine: its workers fall silent, and the others complain."""

    def __init__(self, r, kinds, workers):
        self.kinds = [(Program(r, 25, 2), Program(r, 15, 2), Program(r, 15, 2)) for _ in range(kinds)]
        self.workers, self.retry = workers, ["R%d" % i for i in range(4)]

    def worker(self, r, program, fails):
        events = []
        while r.random() < fails and len(events) < 200:
            own = program.normal(r)
            events += own[:r.randrange(len(own) + 1)] + self.retry
        return events + program.normal(r)

    def rows(self, r, fails):
        master, first, second = r.choice(self.kinds)
        n = max(1, round(self.workers * math.exp(r.gauss(0, 1))))
        return master.normal(r), [[self.worker(r, p, fails) for _ in range(n)] for p in (first, second)]

    @staticmethod
    def together(r, master, stages):
        half, events = len(master) // 2, []
        for rows in stages:
            order = [i for i, row in enumerate(rows) for _ in row]
            r.shuffle(order)
            at = [iter(row) for row in rows]
            events += [next(at[i]) for i in order]
        return master[:half] + events + master[half:]

    def normal(self, r):
        return self.together(r, *self.rows(r, .02))

    def strange(self, r):
        kind = r.choice(["failing", "machine", "unknown"])
        master, stages = self.rows(r, .6 if kind == "failing" else .02)
        if kind == "machine":
            for rows in stages:
                for i in range(len(rows)):
                    if r.random() < .3:
                        rows[i] = rows[i][:r.randrange(len(rows[i]) + 1)]
                    elif r.random() < .3:
                        rows[i] = rows[i] + self.retry[:2] * r.choice([1, 5])
        elif kind == "unknown":
            rows = r.choice(stages)
            i = r.randrange(len(rows))
            rows[i] = rows[i][:r.randrange(len(rows[i]) + 1)] + ["X%d" % r.randrange(6)] * r.choice([1, 1, 4])
        return kind, self.together(r, master, stages)


class Released(Sprinkled):
    """The same system after a new release: a step or two say something new, another is gone, and nothing is wrong."""

    renamed = {}

    def later(self, r):
        names = sorted({e for _ in range(200) for e in self.program.normal(r)})
        changed = r.sample(names, 3)
        self.renamed = {changed[0]: changed[0] + "n", changed[1]: changed[1] + "n", changed[2]: None}

    def with_others(self, r, events):
        events = [self.renamed.get(e, e) for e in events]
        return super().with_others(r, [e for e in events if e])


# name: (maker, sessions to learn from, normal ones of the test, strange ones of the test)
SYSTEMS = {
    "lifecycle": (lambda r: Program(r, 30), 2000, 3000, 600),
    "lifecycle, few": (lambda r: Program(r, 25, rare=.02), 120, 800, 150),
    "interleaved": (lambda r: Program(r, 45, 3, beside=.5), 3000, 3000, 600),
    "long jobs": (lambda r: Program(r, 90, 4, loops=.45, load=.6), 150, 150, 300),
    "jobs by load": (lambda r: Program(r, 30, 3, loops=.5, load=.8), 1500, 2000, 300),
    "machines": (lambda r: Crowd(r, 25, 3000, 60, 1.5), 2000, 4000, 3000),
    "machines, few": (lambda r: Crowd(r, 15, 1500, 40, 1.2), 400, 2000, 1000),
    "machines, tail": (lambda r: Crowd(r, 25, 20000, 120, 1.8, .9), 3000, 3000, 2000),
    "machines, mostly strange": (lambda r: Crowd(r, 20, 2500, 50, 1.4), 300, 150, 6000),
    "calls": (lambda r: Calls(r, 6, 40, 60), 800, 2500, 700),
    "windows": (lambda r: Windows(r, 50), 1000, 2000, 300),
    "short": (lambda r: Short(r), 3000, 4000, 400),
    # Added when all constants stood, and none was moved for them.
    "many kinds": (lambda r: Program(r, 550, 5), 500, 500, 150),
    "many kinds, few": (lambda r: Program(r, 550, 5), 120, 400, 150),
    "values in names": (lambda r: Valued(r, 25, .2, 300), 1500, 2000, 300),
    "interleaved, few": (lambda r: Program(r, 45, 3, beside=.5), 120, 800, 150),
    "calls, few": (lambda r: Calls(r, 3, 40, 60), 120, 800, 200),
    # Of the shapes that public logs of large machines have: nodes that said one line or thousands; so many lines of all
    # nodes; virtual machines; and what a year changes, or nobody looked through.
    "nodes": (lambda r: Crowd(r, 25, 2000, 3, 2.2), 380, 160, 5000),
    "windows, tail": (lambda r: Crowd(r, 25, 5000, 100, 0), 3000, 3000, 400),
    "windows, drift": (lambda r: Drifting(r, 25, 5000, 40, .5), 3000, 3000, 400),
    "virtual machines": (lambda r: Sprinkled(r, 20, 6, 3), 1000, 1000, 200),
    "lifecycle, dirty": (lambda r: Dirty(Program(r, 30), .015), 2000, 3000, 400),
    # Added in the session after, before anything was mended for them.
    "operations": (lambda r: Operations(r, 8, 10), 800, 1500, 300),
    "operations, few": (lambda r: Operations(r, 8, 10), 120, 800, 150),
    "applications": (lambda r: Applications(r, 4, 8), 150, 300, 100),
    "new release": (lambda r: Released(r, 20, 6, 3), 1000, 1000, 200),
}


class Witness:
    """What thousands of normal sessions show: kinds, pairs and triples, how often each kind occurs (also not at all) and
    how often in a row.  A session is told from them by more that is new than all but a few of them bring."""

    HARDLY = .003  # of normal sessions may bring more

    def __init__(self, sessions):
        half = len(sessions) // 2
        self.seen, self.least, self.most, self.run, self.count = [set(), set(), set()], {}, {}, {}, 0
        for s in sessions[:half]:
            self.learn(s)
        broken = zip(*[self.broken(s) for s in sessions[half:]])
        self.usual = [sorted(way)[-1 - int(self.HARDLY * half)] for way in broken]
        for s in sessions[half:]:
            self.learn(s)

    @staticmethod
    def grams(s, n):
        s = ["<"] + s + [">"]
        return {tuple(s[i:i + n]) for i in range(len(s) - n + 1)}

    @staticmethod
    def runs(s):
        return [(e, len(list(g))) for e, g in itertools.groupby(s)]

    def learn(self, s):
        counts = collections.Counter(s)
        for n in range(3):
            self.seen[n] |= self.grams(s, n + 1)
        for e, n in counts.items():
            self.most[e] = max(n, self.most.get(e, 0))
            self.least[e] = min(n, self.least.get(e, 0 if self.count else n))
        for e in self.least:
            if e not in counts:
                self.least[e] = 0
        for e, n in self.runs(s):
            self.run[e] = max(n, self.run.get(e, 0))
        self.count += 1

    def broken(self, s):
        """How much is new, in each of the ways that it can be."""
        counts = collections.Counter(s)
        return ([len(self.grams(s, n + 1) - self.seen[n]) for n in range(3)] +
                [sum(n > self.most.get(e, n) for e, n in counts.items()),
                 sum(counts[e] < n for e, n in self.least.items() if n),
                 sum(n > self.run.get(e, n) for e, n in self.runs(s))])

    def tells(self, s):
        return any(n > usual for n, usual in zip(self.broken(s), self.usual))


def traced(r, system, witness):
    """A strange session with an event that the system has no word for when it is well, or one that a witness tells."""
    while True:
        kind, events = system.strange(r)
        if kind in ("unknown", "alert") or witness.tells(events):
            return kind, events


WITNESSED = 6000  # normal sessions that a witness has seen


def lines(rows):
    """A session is named by what is wrong with it: names are not read by what judges."""
    return ["%s-%d\t%d\t%s\n" % (kind, i, kind != "normal", " ".join(events)) for i, (kind, events) in enumerate(rows)]


def write(folder, name, seed):
    maker, train, normal, strange = SYSTEMS[name]
    r = random.Random("%s/%d" % (name, seed))
    system = maker(r)
    learn = [("normal", system.normal(r)) for _ in range(train)]
    if hasattr(system, "later"):
        system.later(r)
    unseen = random.Random("%s/%d/unseen" % (name, seed))
    witness = Witness([system.normal(unseen) for _ in range(WITNESSED)])
    test = [("normal", system.normal(r)) for _ in range(normal)] + [traced(r, system, witness) for _ in range(strange)]
    r.shuffle(test)
    paths = [os.path.join(folder, name.replace(", ", "-").replace(" ", "-") + end) for end in (".train", ".test")]
    for path, rows in zip(paths, (learn, test)):
        with open(path, "w") as f:
            f.writelines(lines(rows))
    return paths


if __name__ == "__main__":
    for system in SYSTEMS:
        write(sys.argv[1], system, int(sys.argv[2]) if len(sys.argv) > 2 else 1)
