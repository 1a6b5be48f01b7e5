#!/usr/bin/python3
"""hold.py postgres|lock SOCKET_FOLDER STATEMENT: sessions that stay open, as a leaking client leaves them; ends when it is killed."""
import subprocess
import sys
import time

kind, where, statement = sys.argv[1:4]
held = []
for _ in range(1 if kind == "lock" else 24):
    p = subprocess.Popen(["psql", "-X", "-q", "-h", where, "-p", "5432", "-U", "kedge", "-d", "portal"], stdin=subprocess.PIPE, text=True)
    if statement:
        p.stdin.write(statement + ";\n")
        p.stdin.flush()
    held.append(p)
time.sleep(3600)
