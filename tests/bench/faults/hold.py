#!/usr/bin/python3
"""hold.py postgres|lock SOCKET_FOLDER STATEMENT | web PORT "": sessions that stay open, as a leaking client leaves them; ends when it is killed."""
import socket
import subprocess
import sys
import time

kind, where, statement = sys.argv[1:4]
held = []
for _ in range(200 if kind == "web" else 0):
    s = socket.create_connection(("127.0.0.1", int(where)))
    s.send(b"GET / HTTP/1.1\r\nHost: portal\r\nX-Slow: ")  # and never the rest
    held.append(s)
for _ in range({"lock": 1, "web": 0}.get(kind, 24)):
    p = subprocess.Popen(["psql", "-X", "-q", "-h", where, "-p", "5432", "-U", "kedge", "-d", "portal"], stdin=subprocess.PIPE, text=True)
    if statement:
        p.stdin.write(statement + ";\n")
        p.stdin.flush()
    held.append(p)
time.sleep(3600)
