"""recovery_machine.py: two things that a Linux machine does to whoever measures restores, and what is done about them, for every tool and the limit alike.

Removed inodes.  ext4 gives out no inode that was freed in the last minute (recently_deleted() in the kernel's fs/ext4/ialloc.c: RECENTCY_MIN, 60 s,
and RECENTCY_DIRTY, 300 s more while the block that holds it is not written back), and steps over them one by one for each file that is made.  Who
removes a tree of 75,000 files and then restores another measures his own tidying: 3 to 5 s instead of 2.  So what is no longer needed is moved into
a graveyard, which is emptied when the section is over or room gets short; what is timed begins no sooner than a minute after that, and a sync.

Page frames.  On a virtual machine the hypervisor takes back free frames (free page reporting, virtio_balloon), and the first touch of each is then a
fault in the host: some 10 us a page, 5 s for the page cache of 2 GB.  So before what writes much, as many free frames are touched as it will
need, and some more, for the taking back goes on meanwhile.  On a machine that keeps its frames this changes nothing.
"""
import mmap
import os
import shutil
import subprocess
import sys
import time

RECENT_S = 61
ROOM_LEAST = 10 << 30
FRAMES_MOST = 8 << 30
FRAMES_LEFT = 1 << 30  # never all: what is in the page cache must stay there
PAGE, HUGE = 4096, 2 << 20


class Machine:
    def __init__(self):
        self.folder, self.count, self.waited_s, self.frames_s = None, 0, 0, 0
        self.emptied = None  # when

    def begin(self, folder):
        """What is buried from now on lies there, on the file system that is measured."""
        self.folder = os.path.join(folder, "graveyard")
        os.makedirs(self.folder, exist_ok=True)

    def bury(self, path):
        if not os.path.lexists(path):
            return
        self.count += 1
        os.rename(path, os.path.join(self.folder, str(self.count)))
        fs = os.statvfs(self.folder)
        if fs.f_bavail * fs.f_frsize < ROOM_LEAST:
            self.empty()

    def empty(self):
        buried = os.listdir(self.folder)
        for name in buried:
            shutil.rmtree(os.path.join(self.folder, name))
        if buried:
            self.removed()

    def removed(self):
        """Somebody removed a tree, or files all over one: a rollback drops what it replaced."""
        subprocess.run(["sync"], check=True)
        self.emptied = time.monotonic()

    def settle(self, much):
        """Right before what is timed; much: it writes a tree."""
        if self.emptied is not None:
            left = self.emptied + RECENT_S - time.monotonic()
            self.waited_s += max(0, left)
            time.sleep(max(0, left))
            self.emptied = None
        if much:
            began = time.monotonic()
            subprocess.run([sys.executable, __file__], check=True)  # a process of its own: our peak would count for who is started from here
            self.frames_s += time.monotonic() - began

    def told(self):
        return "%.0f s waited for removed inodes, %.0f s spent on page frames (neither is in any figure)" % (self.waited_s, self.frames_s)


def touch_frames():
    with open("/proc/meminfo") as f:
        free = next(int(line.split()[1]) << 10 for line in f if line.startswith("MemFree:"))
    size = min(FRAMES_MOST, free - FRAMES_LEFT) // HUGE * HUGE
    if size <= 0:
        return  # the page cache has them all: they are there
    m = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    m.madvise(mmap.MADV_HUGEPAGE)
    for at in range(0, size, PAGE):
        m[at] = 1
    m.close()


if __name__ == "__main__":
    touch_frames()
