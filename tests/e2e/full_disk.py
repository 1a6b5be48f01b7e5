#!/usr/bin/python3
"""tests/e2e/full_disk.py BIN: the disk of the controller's store fills.

Nearly full: new work is refused with a word on what to do, somebody is paged, and an emergency rollback still runs to its end.  Quite full:
the process ends with a clear message rather than with a lie, and what it acknowledged is there when there is room again.  The disk is a
tmpfs in a mount namespace of its own.  Exit 77: skipped.
"""
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import urllib.error

if os.environ.get("KEDGE_UNSHARED") != "1":
    if os.geteuid() != 0 or subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode != 0:
        print("skipped: needs root and a mount namespace of its own")
        sys.exit(77)
    os.execvpe("unshare", ["unshare", "-m", "--propagation", "private", sys.executable] + sys.argv, dict(os.environ, KEDGE_UNSHARED="1"))

import killing
from killing import call, is_known
from world import World, check, failures, run

DISK = 160 << 20


def fill(w, leave):
    """One file takes what is free but `leave` bytes."""
    state = os.statvfs(w.dir / "state")
    with open(w.dir / "state" / "filler", "ab") as f:
        left = state.f_bavail * state.f_frsize - leave
        try:
            while left > 0:
                left -= f.write(b"\0" * min(left, 1 << 20))
                f.flush()
        except OSError:
            pass


def refused(w, path, body):
    try:
        w.api(path, body)
        return ""
    except urllib.error.HTTPError as e:
        return e.read().decode() if e.code == 503 else "HTTP %d" % e.code


def nearly_full(w, points):
    check("the store keeps a reserve", (w.dir / "state/store/reserve").stat().st_blocks * 512 >= 32 << 20)
    fill(w, 16 << 20)
    w.wait(lambda: w.api("status")["low_space"], "the controller to see its disk", 20)
    check("nearly full: the reserve is given back", not (w.dir / "state/store/reserve").exists())
    check("new work is refused, with what to do", "free some space" in refused(w, "ca/token", {"name": "web-2", "role": "host"}))
    check("somebody is told", "nearly full" in (w.dir / "notes.jsonl").read_text())
    check("an incident can be opened", w.api("incident/open", {"service": "notes-0", "title": "by hand"})["incident"] != "")
    note = w.dir / "tree-0/note"
    note.write_text("broken\n")
    w.wait(lambda: is_known(w, "notes-0", note), "the controller to know that it is broken", 20)

    def ended():
        done = call(w, "rollback")["items"]
        if not done:
            try:
                w.api("rollback/start", {"service": "notes-0", "hosts": ["web-1"], "components": ["config"], "snapshot": points["notes-0"], "text": "full disk"})
            except urllib.error.HTTPError:
                pass
        return done and done[0]["state"] == "ended"

    w.wait(ended, "the end of an emergency rollback", 60)
    check("an emergency rollback runs to its end", call(w, "rollback")["items"][0]["outcome"] == "ok" and note.read_text() == "good\n")


def quite_full(w):
    number, kept = call(w, "incident")["items"][0]["incident"], 0
    for n in range(3000):
        if n >= 20:
            fill(w, 0)
        try:
            w.api("incident/note", {"incident": number, "text": "note %d %s" % (n, "x" * 900)})
            kept = n + 1
        except (OSError, urllib.error.HTTPError):
            break
    code = w.process.wait(30) if kept < 3000 else w.process.poll()
    said = (w.dir / "controller.log").read_text()
    check("quite full: the process ends and says why (after %d notes)" % kept, code == 70 and "disk" in said.split("this process ends")[-1])
    (w.dir / "state/filler").unlink()
    w.start()
    told = w.api("audit/verify")
    check("with room again it starts, and its audit trail is sound", told["problem"] == "sound")
    w.wait(lambda: not w.api("status")["low_space"], "room again", 20)
    check("new work is taken again", refused(w, "ca/token", {"name": "web-3", "role": "host"}) == "")
    notes = sum(1 for e in pages(w, "audit") if e.get("action") == "incident.note")
    check("every acknowledged note is there (%d of %d)" % (notes, kept), notes >= kept)


def pages(w, noun):
    """Every item of a noun."""
    after, items = "", []
    while True:
        page = w.api("%s?limit=1000%s" % (noun, after))
        items += page["items"]
        if not page.get("next"):
            return items
        after = "&after=" + page["next"]


def main():
    with tempfile.TemporaryDirectory(prefix="kedge-disk.", dir="/tmp") as folder:
        state = pathlib.Path(folder) / "state"
        state.mkdir()
        run("mount", "-t", "tmpfs", "-o", "size=%d" % DISK, "none", state)
        w = World(folder)
        try:
            points = killing.set_up(w)
            nearly_full(w, points)
            quite_full(w)
            w.agent.send_signal(signal.SIGTERM)
            check("SIGTERM ends the agent cleanly", w.agent.wait(90) == 0)
        finally:
            if getattr(w, "agent", None) and w.agent.poll() is None:
                w.agent.kill()
                w.agent.wait()
            if not w.stop():
                failures.append("the controller did not stop cleanly")
            run("umount", state)
    for name in failures:
        print("FAILED: " + name)
    sys.exit(1 if failures else 0)


main()
