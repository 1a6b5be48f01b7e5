"""recovery_limits.py: what this machine's disk and kernel allow, measured in the same run: ../shared/bench/limits.c, where it is there.

A row's limit is what a program does that has everything in memory and nothing to decide: so a slow disk can be told from slow code.
"""
import os
import re
import shutil
import subprocess

from recovery_peers import machine, remove, run


class Limits:
    def __init__(self, generator, folder):
        """Compiles it beside the generator's trees; without source or compiler there are no limits."""
        source = os.path.join(os.path.dirname(generator), "limits.c")
        self.program = None
        if os.path.exists(source) and shutil.which("cc"):
            program = os.path.join(folder, "limits")
            made = subprocess.run(["cc", "-O2", "-w", "-pthread", source, "-lcrypto", "-o", program], stdin=subprocess.DEVNULL)
            self.program = program if made.returncode == 0 else None

    def call(self, *words):
        return run([self.program, *words])[3]

    def walk(self, tree):
        """stat of every entry by two threads: the limit where nothing changed."""
        return float(re.search(r"([0-9.]+) s$", self.call("stat", tree, "2").strip())[1])

    def copy(self, tree, place, much):
        """The tree from memory into an empty place, and syncfs.  much: it is a large one."""
        machine.bury(place)
        os.makedirs(place)
        machine.settle(much)
        told = re.search(r"([0-9.]+) s ; \+ syncfs ([0-9.]+) s", self.call("copy", tree, place, "2"))
        machine.bury(place)
        return float(told[1]) + float(told[2])

    def rollback(self, tree, pristine):
        """Only what differs is written, by who has the manifest and the contents in memory; synced."""
        took = float(re.search(r"([0-9.]+) s$", self.call("manrb", tree, pristine, "2").strip())[1])
        return took + run(["sync", "-f", tree])[0]

    def swap(self, base):
        """Two folders exchanged, and their parent synced."""
        pair = [os.path.join(base, name) for name in ("swap-a", "swap-b")]
        for each in pair:
            os.makedirs(each)
        took = float(re.search(r"fsync\(parent\) median=([0-9.]+) ms", self.call("swap", *pair))[1]) / 1000
        for each in pair:
            remove(each)
        return took
