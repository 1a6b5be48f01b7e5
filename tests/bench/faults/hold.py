#!/usr/bin/python3
"""hold.py KIND WHERE STATEMENT: connections that stay open, as a leaking client leaves them; ends when it is killed.

postgres SOCKET_FOLDER STATEMENT: 24 sessions; lock SOCKET_FOLDER STATEMENT: one; raw SOCKET "": 120 connections that never say anything;
other SOCKET_FOLDER "": 24 sessions of another database; web PORT "": 200 requests that are never ended; silent PORT "": a server that takes
every request and answers none; garbage PORT "": one that answers what is no HTTP.
"""
import socket
import subprocess
import sys
import time

kind, where, statement = sys.argv[1:4]
held = []


def web():
    s = socket.create_connection(("127.0.0.1", int(where)))
    s.send(b"GET / HTTP/1.1\r\nHost: portal\r\nX-Slow: ")  # and never the rest
    return s


def raw():
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(2)
    s.connect(where)
    return s


def session():
    p = subprocess.Popen(["psql", "-X", "-q", "-h", where, "-p", "5432", "-U", "kedge", "-d", "postgres" if kind == "other" else "portal"], stdin=subprocess.PIPE, text=True)
    if statement:
        p.stdin.write(statement + ";\n")
        p.stdin.flush()
    return p


if kind in ("silent", "garbage"):
    server = socket.create_server(("127.0.0.1", int(where)), backlog=512)
    while True:
        held.append(server.accept()[0])
        if kind == "garbage":
            held.pop().sendall(b"\x16\x03\x01 hello\n")
make, count = {"web": (web, 200), "raw": (raw, 120), "postgres": (session, 24), "other": (session, 24), "lock": (session, 1)}[kind]
for _ in range(count):
    try:
        held.append(make())
    except OSError:
        time.sleep(0.1)
time.sleep(3600)
