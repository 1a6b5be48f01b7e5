#!/usr/bin/python3
"""tests/e2e/inject.py BIN [all [NAME,...] | KIND NAME FROM-TO]: a rollback in place by the real program, killed or told no at its system calls.

`strace --inject` kills it (KIND: KILL), or answers EIO or ENOSPC, at the first, the second, ... call of a name, until a run is untouched: of every
name that a rollback makes (`all`), or of some, or (by itself) at some calls of those that change something.  Afterwards, and after `rollback recover`
where it was killed, the trees are as they were before or as in the restore point, whole, nothing is left behind (or it is named, where an error met the way
back, too), and what it answered is true.  Exit 77: skipped.
"""
import collections
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

BIN = pathlib.Path(sys.argv[1]).resolve()
KINDS = {"KILL": "signal=KILL", "EIO": "error=EIO", "ENOSPC": "error=ENOSPC"}
SOME = {"write": (3,), "fsync": (6,), "renameat2": (1,), "unlinkat": (2,)}
MOVES = ("KILL", "renameat2", range(2, 40))  # what is put in place, wherever the first of them is
NEVER = {"execve", "exit", "exit_group", "rt_sigreturn"}  # it is not there yet, or not any more
MOST = 5000  # calls of one name
failures = []


def fingerprint(*trees):
    """Everything that a rollback answers for, but the times of symlinks' targets and inodes."""
    found = []
    for tree in trees:
        for folder, folders, files in os.walk(tree):
            folders.sort()
            for name in sorted(folders + files) + ["."]:
                path = os.path.join(folder, name)
                st = os.lstat(path)
                content = os.readlink(path) if os.path.islink(path) else hashlib.sha256(open(path, "rb").read()).hexdigest() if os.path.isfile(path) else ""
                attributes = [] if os.path.islink(path) else [(a, os.getxattr(path, a)) for a in sorted(os.listxattr(path))]
                found.append((path, st.st_mode, st.st_uid, st.st_gid, st.st_mtime_ns, st.st_nlink if os.path.isfile(path) else 0, content, attributes))
    return hashlib.sha256(repr(found).encode()).hexdigest()


class Host:
    """A service of configuration, code and data, with a large file of which only parts are written."""

    def __init__(self, folder):
        self.dir = pathlib.Path(folder)
        self.trees = [self.dir / "live" / name for name in ("conf", "code", "data")]
        for t in self.trees:
            t.mkdir(parents=True)
        (self.dir / "ctl").write_text("#!/bin/sh\necho $1 >>%s/log\n[ $1 = stop ] && rm -f %s/running || touch %s/running\n" % (self.dir, self.dir, self.dir))
        (self.dir / "ctl").chmod(0o755)
        self.yaml = self.dir / "agent.yaml"
        self.yaml.write_text(
            "host: h1\nstate_directory: %s/state\nservices:\n  portal:\n    components:\n      config: { paths: [ %s ] }\n      code: { paths: [ %s ] }\n      data: { paths: [ %s ] }\n"
            "    steps: { stop: [ %s/ctl, stop ], start: [ %s/ctl, start ] }\n    probes: [ { name: one, tier: shallow, exec: [ /bin/true ] } ]\n"
            % (self.dir, *self.trees, self.dir, self.dir))
        self.good_state()
        self.must("snapshot", "create", "portal")
        self.point = re.search(r"snap-\w+", self.must("snapshot", "list").stdout).group()
        self.good = fingerprint(*self.trees)
        self.break_it()
        self.bad = fingerprint(*self.trees)
        if self.bad == self.good:
            sys.exit("nobody would see a difference")
        for name in ("live", "state"):
            subprocess.run(["cp", "-a", self.dir / name, self.dir / (name + ".kept")], check=True)

    def good_state(self):
        conf, code, data = self.trees
        (conf / "site.conf").write_text("listen 80\n")
        (conf / "gone.conf").write_text("comes back\n")
        (code / "lib").mkdir()
        for i in range(12):
            (code / "lib" / ("m%d" % i)).write_text("module %d\n" % i)
        os.link(code / "lib/m1", code / "second-name")
        (code / "current").symlink_to("lib/m2")
        os.setxattr(code / "lib/m3", "user.build", b"7")
        (data / "rows.db").write_bytes(b"".join(bytes([i % 251]) * 4096 for i in range(2600)))
        (data / "empty").mkdir()

    def break_it(self):
        conf, code, data = self.trees
        (conf / "site.conf").write_text("listen 8o\n")
        (conf / "gone.conf").unlink()
        (conf / "new.conf").write_text("goes\n")
        (code / "lib/m2").write_text("another module\n")
        (code / "lib/m3").chmod(0o600)
        (code / "current").unlink()
        (code / "current").symlink_to("lib/m4")
        (data / "empty").rmdir()
        with open(data / "rows.db", "r+b") as f:
            f.seek(100 * 4096)
            f.write(b"x" * 8192)

    def agent(self, *words, strace=()):
        return subprocess.run([*strace, str(BIN / "kedge-agent"), *words, "--config", str(self.yaml)], capture_output=True, text=True, timeout=120)

    def must(self, *words):
        done = self.agent(*words)
        if done.returncode != 0:
            sys.exit("kedge-agent %s: exit %d: %s%s" % (" ".join(words), done.returncode, done.stdout, done.stderr))
        return done

    def again(self, state):
        """Broken as it was; now and then with the repository as it was, too, for each try leaves a restore point."""
        for name in ("live", "state") if state else ("live",):
            subprocess.run(["rsync", "-aHAXc", "--delete", "--modify-window=-1", "%s/" % (self.dir / (name + ".kept")), "%s/" % (self.dir / name)], check=True)
        (self.dir / "running").touch()

    def roll_back(self, *inject):
        trace = ["strace", "-f", "-o", str(self.dir / "trace"), *inject] if inject else []
        return self.agent("rollback", "start", "portal", "--to", self.point, strace=trace)

    def left(self):
        return [p.name for p in (self.dir / "live").rglob(".kedge-*")]


def failed_twice(h, done):
    """strace counts for each thread, so that the way back met the same error: whole all the same, and what could not be removed is named."""
    left = [p for p in (h.dir / "live").glob(".kedge-*")]
    if done.returncode == 0 or not left or not any(p.name in done.stdout for p in left):
        return "failed twice, and does not say where"
    for p in left:
        shutil.rmtree(p)
    return "left behind: %s" % h.left() if h.left() else ""


def wrong(h, kind, done):
    """Why, or nothing."""
    killed = kind == "KILL"
    if killed:
        recovered = h.agent("rollback", "recover")
        said = recovered.stdout + recovered.stderr
        if (recovered.returncode != 0 and "reverted" not in said) or "no rollback was interrupted" not in h.agent("rollback", "recover").stdout:
            return "recovering: %d %s" % (recovered.returncode, said)
    now = fingerprint(*h.trees)
    if now not in (h.good, h.bad):
        return "the trees are neither"
    if not killed and "failed_dirty" in done.stdout:
        return failed_twice(h, done)
    if not killed and now != (h.good if done.returncode == 0 else h.bad):
        return "it answered %d and the trees are %s" % (done.returncode, "new" if now == h.good else "old")
    if h.left():
        return "left behind: %s" % h.left()
    if not (h.dir / "running").exists() and "start: " not in done.stdout:  # unless its own program was told no, each time
        return "the service does not run"
    return ""


def at(h, kind, name, n):
    """None: it was untouched."""
    h.again(n % 40 == 1)
    trace = "inject=%s:%s:when=%d" % (name, KINDS[kind], n)
    done = h.roll_back("-e", "trace=" + name, "-e", trace)
    text = (h.dir / "trace").read_text(errors="replace")
    if ("killed by SIGKILL" if kind == "KILL" else "(INJECTED)") not in text:
        return None
    why = wrong(h, kind, done)
    end = "new" if fingerprint(*h.trees) == h.good else "old"
    if why:
        failures.append("%s at %s %d: %s" % (kind, name, n, why))
        print("FAILED %s\n%s%s" % (failures[-1], done.stdout, done.stderr), flush=True)
    return end


def names(h):
    """What a rollback calls, and how often at most in one of its threads."""
    h.again(True)
    done = h.roll_back()
    if done.returncode != 0 or fingerprint(*h.trees) != h.good:
        sys.exit("undisturbed: exit %d: %s%s" % (done.returncode, done.stdout, done.stderr))
    h.again(True)
    h.roll_back("-e", "trace=all")
    counted = collections.Counter(re.findall(r"^\d+ +(\w+)\(", (h.dir / "trace").read_text(errors="replace"), re.M))
    return {name: n for name, n in counted.items() if name not in NEVER}


def walk(h, which):
    ends = collections.Counter()
    made = names(h)
    print("undisturbed it makes %d calls of %d names" % (sum(made.values()), len(made)), flush=True)
    if len(which) == 3:
        first, last = map(int, which[2].split("-"))
        chosen = [(which[0], which[1], range(first, last + 1))]
    elif which:
        chosen = [(kind, name, range(1, MOST)) for name in sorted(set(which[1].split(",")) & set(made) if which[1:] else made) for kind in KINDS]
    else:
        chosen = [(kind, name, SOME[name]) for name in sorted(SOME) for kind in KINDS] + [MOVES]
    for kind, name, numbers in chosen:
        here = collections.Counter()
        for n in numbers:
            end = at(h, kind, name, n)
            if end is None:
                break
            here[end] += 1
        print("%s at %s: %s" % (kind, name, dict(here) or "never made"), flush=True)
        ends.update((kind, end) for end in here.elements())
    print({"%s %s" % key: n for key, n in sorted(ends.items())})
    if len(which) in (0, 1) and any(("KILL", end) not in ends for end in ("old", "new")):
        failures.append("it was not seen to end both ways: %s" % ends)
        print("FAILED " + failures[-1])
    h.again(False)
    h.must("rollback", "start", "portal", "--to", h.point)
    if fingerprint(*h.trees) != h.good:
        failures.append("after all of it, a rollback does not")
    h.must("snapshot", "verify", h.point)


def main():
    for program in ("strace", "rsync"):
        if not shutil.which(program):
            print("skipped: %s is not installed" % program)
            return 77
    if os.geteuid() != 0:
        print("skipped: needs root")
        return 77
    with tempfile.TemporaryDirectory(prefix="kedge-inject-") as folder:
        walk(Host(folder), sys.argv[2:])
    return 1 if failures else 0


sys.exit(main())
