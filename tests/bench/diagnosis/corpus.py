"""Error messages with the class that their own sources give them: what the shipped model's confidence is measured on.

usage: corpus.py FOLDER      FOLDER/NAME is the unpacked source of NAME (apt-get source, or the files of a -dev package)

Prints one {"system","class","text","judge":true} a line, for `kedge diagnosis model train` behind the examples that are
learned.  The class is what the code itself says beside the text: a status of gRPC, an SQLSTATE, an HTTP status, a class of
exception.  Packages of Debian 12 that the shipped model was judged on: cinder containerd derby docker.io etcd glance
golang-gocloud golang-google-cloud grpc h2database heat hsqldb ironic keystone manila mariadb neutron nova octavia pglogical
pgpool2 swift.  No text of them is kept.
"""
import collections, json, os, re, sys
from rows import DATA

GRPC = {"Canceled": "timeout_cancel", "Cancelled": "timeout_cancel", "InvalidArgument": "invalid",
        "DeadlineExceeded": "timeout_cancel", "NotFound": "not_found", "AlreadyExists": "already_exists",
        "PermissionDenied": "auth", "ResourceExhausted": "resource", "FailedPrecondition": "state", "Aborted": "conflict",
        "OutOfRange": "invalid", "Unimplemented": "unsupported", "Internal": "internal", "Unavailable": "unavailable",
        "DataLoss": "internal", "Unauthenticated": "auth"}
HTTP = {"BadRequest": "invalid", "NotFound": "not_found", "Forbidden": "auth", "Unauthorized": "auth",
        "RequestEntityTooLarge": "resource", "ServiceUnavailable": "unavailable", "NotImplemented": "unsupported",
        "InternalServerError": "internal"}
STATE = {"42501": "auth", "42703": "not_found", "42704": "not_found", "42883": "not_found", "42P01": "not_found",
         "42P02": "not_found", "42S02": "not_found", "42S12": "not_found", "42S22": "not_found", "58P01": "not_found",
         "55P03": "conflict", "25P03": "timeout_cancel", "57014": "timeout_cancel", "57P05": "timeout_cancel"}
STATE.update({s: "already_exists" for s in "42701 42710 42712 42723 42P03 42P04 42P05 42P06 42P07 42S01 42S11 42S21 58P02".split()})
STATE_CLASS = {"02": "not_found", "08": "unavailable", "0A": "unsupported", "0B": "state", "21": "invalid", "22": "invalid",
               "23": "integrity", "24": "state", "25": "state", "26": "not_found", "28": "auth", "2B": "state", "2D": "state",
               "34": "not_found", "3B": "state", "3D": "not_found", "3F": "not_found", "40": "conflict", "42": "invalid",
               "44": "integrity", "53": "resource", "54": "resource", "55": "state", "57": "unavailable", "58": "internal",
               "XX": "internal"}
EXCEPTION = [("AlreadyExists|Exists$|Duplicate", "already_exists"), ("NotFound|NoSuch|DoesNotExist", "not_found"),
             ("Quota|OverLimit|LimitExceeded|NoMore|Exhausted|Insufficient|TooMany|NoValidHost", "resource"),
             ("Timeout|TimedOut", "timeout_cancel"), ("NotAuthorized|Forbidden|Unauthorized|NotAuthenticated|AuthFailed", "auth"),
             ("NotSupported|Unsupported|NotImplemented", "unsupported"), ("^Invalid|^Malformed|Invalid$|BadRequest|ValidationError", "invalid"),
             ("Unavailable$|ConnectionFailed|Unreachable", "unavailable"), ("InUse|InvalidState|Busy$|NotReady|Locked$", "state")]
TEXT = r'"((?:[^"\\\n]|\\.)*)"'


def files(folder, ends):
    for root, _, names in os.walk(folder):
        if re.search(r"/(vendor|tests?|testing|testdata|examples?|third_party|docs?)(/|$)", root):
            continue
        for name in names:
            if name.endswith(ends) and not re.search(r"_test\.|^test_|\.pb\.", name):
                with open(os.path.join(root, name), encoding="utf-8", errors="replace") as f:
                    yield f.read()


def behind(text, at, most=200):
    """The first literal of the call that `at` is in."""
    m = re.compile(r"[^;{}\"]*?" + TEXT).match(text, at, at + most)
    return m.group(1) if m else ""


def state(code):
    return STATE.get(code) or STATE_CLASS.get(code[:2])


def calls(folder):
    """Go, C++ and C: a code, then the text."""
    for text in files(folder, (".go", ".cc", ".cpp")):
        for m in re.finditer(r"(?:codes\.|absl::|StatusCode::k?|gcerr(?:ors)?\.)(\w+?)(?:Error\(|\s*,)", text):
            yield GRPC.get(m.group(1)), behind(text, m.end())
        for m in re.finditer(r"errdefs\.(?:Err)?(\w+?)(?:Parameter)?\(\s*(?:errors\.(?:New|Errorf)|fmt\.Errorf)\(", text):
            yield GRPC.get(m.group(1)) or HTTP.get(m.group(1)) or ("invalid" if m.group(1) == "Invalid" else None), behind(text, m.end())
        for m in re.finditer(r"fmt\.Errorf\(" + TEXT + r"[^\n]*errdefs\.Err(\w+)\)", text):
            yield GRPC.get(m.group(2)), re.sub(r":?\s*%w$", "", m.group(1))


def sqlstates(folder, codes):
    for text in files(folder, (".c",)):
        for m in re.finditer(r"errcode\(\s*(ERRCODE_\w+)\s*\)\s*\)?,?\s*\(?\s*errmsg\w*\(", text):
            yield state(codes.get(m.group(1), "")), behind(text, m.end())
    for text in files(folder, ("messages.xml",)):
        for m in re.finditer(r"<name>([0-9A-Z]{5})[^<]*</name>\s*<text>([^<]*)</text>", text):
            yield state(m.group(1)), m.group(2)
    for text in files(folder, ("sql-state-messages.properties", "_messages_en.prop")):
        for m in re.finditer(r"^(?:\d+\s*=\s*)?([0-9A-Z]{5})[=\s](.*)$", text, re.M):
            yield state(m.group(1)), m.group(2)
    for text in files(folder, ("errmsg-utf8.txt",)):
        code = ""
        for line in text.splitlines():
            head, english = re.match(r"ER_\w+\s+([0-9A-Z]{5})\b", line), re.match(r"\s+eng " + TEXT, line)
            if head:
                code = head.group(1)
            elif not line[:1].isspace():
                code = ""
            if english and code not in ("", "HY000", "42000", "01000", "00000"):
                yield state(code), english.group(1)
                code = ""


def exceptions(folder):
    base, said = {}, {}
    quoted = r"((?:[rubf]*(?:\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*')\s*)+)"
    whole = lambda s: "".join(a or b for a, b in re.findall(r"\"((?:[^\"\\\n]|\\.)*)\"|'((?:[^'\\\n]|\\.)*)'", s))
    for text in files(folder, (".py",)):
        for m in re.finditer(r"^class (\w+)\(([\w., ]+)\):\n((?:(?:[ \t]+.*)?\n)+)", text, re.M):
            base[m.group(1)] = m.group(2).split(",")[0].strip().split(".")[-1]
            k = re.search(r"\b(?:_?msg_fmt|message|explanation|message_format)\s*=\s*\(?\s*(?:_\()?\s*" + quoted, m.group(3))
            if k:
                said[m.group(1)] = whole(k.group(1))
        for m in re.finditer(r"HTTP(%s)\(\s*(?:(?:explanation|body|detail)\s*=\s*)?(?:_\()?\s*" % "|".join(HTTP) + quoted, text):
            yield HTTP[m.group(1)], whole(m.group(2))
    for name, text in said.items():
        for _ in range(8):
            kind = next((c for k, c in EXCEPTION if re.search(k, name)), None)
            if kind or name not in base:
                break
            name = base[name]
        yield kind, text


def plain(text):
    text = re.sub(r"%\(\w+\)|\{\d\}|\$\$", lambda m: "%" if m.group(0)[0] == "%" else "%s", text.replace("''", "'"))
    return " ".join(re.sub(r"\\[nt\"]", " ", text).split())


def main():
    with open(DATA + "errcls/postgresql-errcodes.txt") as f:
        codes = {m.group(2): m.group(1) for m in re.finditer(r"^([0-9A-Z]{5})\s+[EWS]\s+(ERRCODE_\w+)", f.read(), re.M)}
    for system in sorted(os.listdir(sys.argv[1])):
        folder, seen = os.path.join(sys.argv[1], system), collections.OrderedDict()
        for source in (calls(folder), sqlstates(folder, codes), exceptions(folder)):
            for kind, text in source:
                text = plain(text)
                if kind and len(text) <= 400 and len(re.findall("[A-Za-z]{2,}", re.sub(r"%[-+0-9.]*[a-z]+", "", text))) > 1:
                    seen.setdefault(text, collections.Counter())[kind] += 1
        for text, kinds in seen.items():
            kind, n = kinds.most_common(1)[0]
            if 2 * n > sum(kinds.values()):
                print(json.dumps({"system": system, "class": kind, "text": text, "judge": True}))


main()
