"""check_docs.py WHAT: do the pages say what the tree says?

  map            every source folder stands in docs/ARCHITECTURE.md, and every folder that stands there exists
  links          its last table is what the folders' CMakeLists.txt say
  names          every path and every link in a page leads to something that is there
  runbooks       each runbook has its parts, and says them with commands; knowledge leads to one, the handbook to each
  commands BIN   every command in a page, with its options, is one of the programs' own
  --write-links  write that table anew
"""
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
MAP = "docs/ARCHITECTURE.md"
PAGES = ["README.md", "CONTRIBUTING.md", MAP, "docs/PROTOCOL.md", "docs/OPERATIONS.md", "docs/SECURITY.md"]
RUNBOOKS = "packaging/runbooks"
PAGES += sorted("%s/%s" % (RUNBOOKS, f) for f in os.listdir(os.path.join(ROOT, RUNBOOKS)))
TOP = ("agent", "controller", "shared", "certs", "packaging", "tests", "docs", "cmake")
BEGIN, END = "<!-- links: begin -->\n", "<!-- links: end -->\n"


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as f:
        return f.read()


def source_folders():
    found = []
    for top in ("agent", "controller", "shared", "certs"):
        for folder, folders, files in os.walk(os.path.join(ROOT, top)):
            folders.sort()
            name = os.path.relpath(folder, ROOT)
            if name not in ("agent", "controller", "shared") and any(f.endswith((".c", ".h")) for f in files):
                found.append(name)
    return found


def check_map():
    """A folder stands in the map as the first cell of a row."""
    rows = re.findall(r"^\| `([^`]+)` \|", read(MAP).split(BEGIN)[0], re.M)
    folders = [r for r in rows if r.split("/")[0] in TOP]
    sources = source_folders()
    wrong = ["%s: %s is not in the map: add a row (owns, thread, must always hold)" % (MAP, f) for f in sources if f not in folders]
    wrong += ["%s: the map names %s, which is not there" % (MAP, f) for f in folders if not os.path.isdir(os.path.join(ROOT, f))]
    wrong += ["%s: %s stands in the map twice" % (MAP, f) for f in sorted(set(folders)) if folders.count(f) > 1]
    if len(sources) < 30:
        wrong.append("only %d source folders were found: this check looks at the wrong place" % len(sources))
    return wrong


def links_table():
    libraries, rows = {}, []
    for folder in source_folders():
        text = re.sub(r"#.*", "", read(folder + "/CMakeLists.txt"))
        m = re.search(r"kedge_library\((\w+)\s*(?:USES\s+(.*?))?(?:FOREIGN\s+(.*?))?\)", text, re.S)
        if not m:
            raise SystemExit("%s/CMakeLists.txt makes no kedge_library" % folder)
        libraries[m.group(1)] = folder
        rows.append((folder, (m.group(2) or "").split(), (m.group(3) or "").split()))
    out = "| folder | uses of ours | and of others |\n|---|---|---|\n"
    for folder, uses, foreign in rows:
        ours = sorted(libraries[u] for u in uses if u in libraries)
        others = [u for u in uses if u not in libraries] + foreign
        names = sorted({"dl" if o == "${CMAKE_DL_LIBS}" else o.split("::")[-1].lower() for o in others})
        out += "| `%s` | %s | %s |\n" % (folder, ", ".join("`%s`" % o for o in ours), ", ".join(names))
    return out


def check_links(write=False):
    text = read(MAP)
    head, rest = text.split(BEGIN)
    now, tail = rest.split(END)
    want = links_table()
    if write:
        with open(os.path.join(ROOT, MAP), "w", encoding="utf-8") as f:
            f.write(head + BEGIN + want + END + tail)
        return []
    if now == want:
        return []
    have = set(now.splitlines())
    return ["%s: the table of links is not what CMake says (%s): python3 tests/unit/docs/check_docs.py --write-links" %
            (MAP, next((l for l in want.splitlines() if l not in have), "a row too many"))]


def anchors(text):
    out = set()
    for heading in re.findall(r"^#+ (.*)$", text, re.M):
        out.add(re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower()).strip().replace(" ", "-"))
    return out


def check_names():
    wrong, seen = [], 0
    for page in PAGES:
        text = read(page)
        for path in re.findall(r"`([^`\s]+)`", text):
            if path.split("/")[0] in TOP and "/" in path and not re.search(r"[*<>{}…]", path):
                seen += 1
                if not os.path.exists(os.path.join(ROOT, path)):
                    wrong.append("%s: `%s` is not there" % (page, path))
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            if "://" in target:
                continue
            seen += 1
            file, _, anchor = target.partition("#")
            path = os.path.normpath(os.path.join(os.path.dirname(page), file)) if file else page
            if not os.path.exists(os.path.join(ROOT, path)):
                wrong.append("%s: the link to %s leads nowhere" % (page, target))
            elif anchor and anchor not in anchors(read(path)):
                wrong.append("%s: %s has no heading for the link #%s" % (page, path, anchor))
    if seen < 50:
        wrong.append("only %d names were found: this check looks at the wrong pages" % seen)
    return wrong


def check_runbooks():
    wrong, parts = [], ["See", "Stop it", "Repair", "Prove", "Afterwards"]
    names = [os.path.splitext(p)[0].split("/")[-1] for p in PAGES if p.startswith(RUNBOOKS)]
    for name in names:
        text = read("%s/%s.md" % (RUNBOOKS, name))
        have = re.findall(r"^## (.*)$", text, re.M)
        if have != parts:
            wrong.append("%s/%s.md: its parts are %s, expected %s" % (RUNBOOKS, name, have, parts))
        for part, body in zip(have, re.split(r"^## .*$", text, flags=re.M)[1:]):
            if not re.search(r"`kedge(-agent|-controller)? [a-z]", body):
                wrong.append("%s/%s.md: its part \"%s\" names no command" % (RUNBOOKS, name, part))
        if "%s/%s.md" % (RUNBOOKS, name) not in read("docs/OPERATIONS.md"):
            wrong.append("docs/OPERATIONS.md: no link to %s/%s.md" % (RUNBOOKS, name))
    used = 0
    for file in sorted(os.listdir(os.path.join(ROOT, "packaging/knowledge"))):
        for entry in re.split(r"^  (?=\S)", read("packaging/knowledge/" + file), flags=re.M)[1:]:
            runbook = re.search(r"^    runbook: (\S+)$", entry, re.M)
            used += 1
            if not runbook or runbook.group(1) not in names:
                wrong.append("packaging/knowledge/%s: %s leads to no runbook" % (file, entry.split(":")[0]))
    if len(names) < 8 or used < 80:
        wrong.append("only %d runbooks and %d entries were found" % (len(names), used))
    return wrong


def code_of(text):
    """Lines of code blocks, and what stands between backticks."""
    parts = re.split(r"^```\w*$", text, flags=re.M)
    lines = [line for block in parts[1::2] for line in block.splitlines()]
    return lines + [span for prose in parts[0::2] for span in re.findall(r"`([^`]+)`", prose)]


def run(*argv):
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20)
    return done.stdout if done.returncode == 0 else None


def usage_knows(usage, name, words):
    """Does a line of the usage begin with this command?  "  repo init|check|stats", "usage: kedge-controller run --config FILE"."""
    for line in usage.splitlines():
        line = re.split(r"\s{2,}", re.sub(r"^(usage:)?\s*(%s )?" % name, "", line))[0]
        if line.split()[:1] != words[:1]:
            continue
        rest = line.split()[1:]
        if not rest or not rest[0][0].islower() or (len(words) > 1 and words[1] in re.split(r"[\s|]", line)):
            return True
    return False


def help_of(program, words):
    """What its help says of the command; None: there is no such command."""
    if program.endswith("/kedge"):
        noun = run(program, "help", *words[:1])
        has_verbs = noun and not re.search(r"^usage: kedge %s\b(?! [A-Z]*VERB)" % re.escape(words[0]), noun, re.M)
        return run(program, "help", *words[:2]) if has_verbs and len(words) > 1 and words[1][0] not in "-…" else noun
    usage = run(program, "--help")
    return usage if usage_knows(usage, os.path.basename(program), words) else None


def check_commands(folder):
    wrong, seen = [], set()
    for page in PAGES:
        for line in code_of(read(page)):
            for call in re.findall(r"(?:^|[ (])((?:kedge|kedge-agent|kedge-controller) [a-z][^#`]*)", line):
                words = re.split(r"\s+(?:&&|\|)\s+|\s{2,}", call)[0].split()
                program, words = os.path.join(folder, words[0]), words[1:]
                found = help_of(program, words)
                options = {w for w in words if re.match(r"--[a-z]", w)}
                seen.add((program, tuple(words)))
                if not found:
                    wrong.append("%s: there is no command `%s`" % (page, call.strip()))
                    continue
                wrong += ["%s: `%s` knows no %s" % (page, call.strip(), o) for o in sorted(options) if not re.search(re.escape(o) + r"\b", found)]
    if len(seen) < 40:
        wrong.append("only %d commands were found: this check looks at the wrong pages" % len(seen))
    return wrong


def main():
    what = sys.argv[1] if len(sys.argv) > 1 else ""
    checks = {"map": check_map, "links": check_links, "names": check_names, "runbooks": check_runbooks, "commands": lambda: check_commands(sys.argv[2]),
              "--write-links": lambda: check_links(write=True)}
    if what not in checks or len(sys.argv) != (3 if what == "commands" else 2):
        sys.exit(__doc__)
    wrong = checks[what]()
    print("\n".join(wrong), end="\n" if wrong else "")
    sys.exit(1 if wrong else 0)


main()
