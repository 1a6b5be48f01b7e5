"""tests/e2e/s3_server.py: an object store on loopback, strict where S3 is strict.

It takes PUT (only with If-None-Match: *), GET, HEAD and PUT ?retention; everything else is denied and noted.  Each request must carry a
signature of version 4, computed here from Amazon's description and not by the code under test, the digest of its body, and a clock that is
right; what is locked must carry Content-MD5, and a lock never gets shorter.  What it holds is in `objects`, what it was asked in `log`.
"""
import base64
import datetime
import hashlib
import hmac
import http.server
import ssl
import threading
import urllib.parse

ACCESS, SECRET, REGION, BUCKET = "KEDGETESTACCESS", "s3cr3t/KEDGE+TEST/key/0123456789abcdef", "eu-test-1", "kedge-copies"


def mac(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def signature(method, path, query, headers, names, payload, secret, region, date):
    def encode(text):
        return urllib.parse.quote(text, safe="-_.~")

    pairs = sorted((encode(k), encode(v)) for k, v in urllib.parse.parse_qsl(query, keep_blank_values=True))
    canonical = "\n".join([method, "/".join(encode(urllib.parse.unquote(p)) for p in path.split("/")), "&".join("%s=%s" % p for p in pairs),
                           "".join("%s:%s\n" % (n, " ".join(headers[n].split())) for n in names), ";".join(names), payload])
    scope = "%s/%s/s3/aws4_request" % (date[:8], region)
    to_sign = "AWS4-HMAC-SHA256\n%s\n%s\n%s" % (date, scope, hashlib.sha256(canonical.encode()).hexdigest())
    key = mac(mac(mac(mac(("AWS4" + secret).encode(), date[:8]), region), "s3"), "aws4_request")
    return hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()


class Refused(Exception):
    def __init__(self, status, code, message=""):
        super().__init__(code)
        self.status, self.code, self.message = status, code, message


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize, disable_nagle_algorithm = -1, True  # an answer leaves whole

    def log_message(self, *_):
        pass

    def handle_all(self):
        store = self.server.store
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        path, _, query = self.path.partition("?")
        name = urllib.parse.unquote(path)[len(BUCKET) + 2:]
        with store.lock:
            store.log.append((self.command, name, query))
        try:
            if store.hook:
                store.hook(self, name)
            self.check(path, query, body)
            self.answer(*self.act(store, name, query, body))
        except Refused as e:
            with store.lock:
                store.refused.append((self.command, name, e.code))
            text = "<?xml version=\"1.0\"?><Error><Code>%s</Code><Message>%s</Message></Error>" % (e.code, e.message)
            self.answer(e.status, text.encode())

    do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = handle_all

    def answer(self, status, body=b"", length=None):
        self.send_response(status)
        self.send_header("content-length", str(len(body) if length is None else length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def check(self, path, query, body):
        h = {k.lower(): v for k, v in self.headers.items()}
        fields = dict(f.strip().split("=", 1) for f in h.get("authorization", "").replace("AWS4-HMAC-SHA256 ", "").split(",") if "=" in f)
        if not fields or "x-amz-date" not in h:
            raise Refused(403, "AccessDenied")
        if fields["Credential"].split("/")[0] != ACCESS:
            raise Refused(403, "InvalidAccessKeyId", "no such key")
        names = fields["SignedHeaders"].split(";")
        unsigned = [n for n in h if n.startswith("x-amz-") or n in ("host", "content-md5", "if-none-match")]
        if names != sorted(names) or not set(unsigned) <= set(names):
            raise Refused(403, "AccessDenied", "headers that must be signed are not")
        want = signature(self.command, path, query, h, names, h["x-amz-content-sha256"], SECRET, REGION, h["x-amz-date"])
        if fields["Credential"] != "%s/%s/%s/s3/aws4_request" % (ACCESS, h["x-amz-date"][:8], REGION) or not hmac.compare_digest(want, fields["Signature"]):
            raise Refused(403, "SignatureDoesNotMatch", "check your key and signing method")
        then = datetime.datetime.strptime(h["x-amz-date"], "%Y%m%dT%H%M%SZ")
        if abs((datetime.datetime.utcnow() - then).total_seconds()) > 900:
            raise Refused(403, "RequestTimeTooSkewed")
        if hashlib.sha256(body).hexdigest() != h["x-amz-content-sha256"]:
            raise Refused(400, "XAmzContentSHA256Mismatch")
        if "content-md5" in h and base64.b64decode(h["content-md5"]) != hashlib.md5(body).digest():
            raise Refused(400, "BadDigest")
        if not path.startswith("/%s/" % BUCKET):
            raise Refused(404, "NoSuchBucket", "there is none of that name")

    def act(self, store, name, query, body):
        with store.lock:
            held = store.objects.get(name)
            if self.command in ("GET", "HEAD") and not query:
                if held is None:
                    raise Refused(403 if store.hides else 404, "AccessDenied" if store.hides else "NoSuchKey")
                return 200, held
            if self.command == "PUT" and query == "retention=":
                return self.retain(store, name, held, body)
            if self.command == "PUT" and not query:
                return self.put(store, name, held, body)
        raise Refused(403, "AccessDenied", "put and get only")

    def put(self, store, name, held, body):
        if self.headers.get("if-none-match") != "*":
            raise Refused(403, "AccessDenied", "nothing may be replaced")
        store.bodies[name] = store.bodies.get(name, 0) + 1
        if held is not None:
            raise Refused(412, "PreconditionFailed")
        mode, until = self.headers.get("x-amz-object-lock-mode"), self.headers.get("x-amz-object-lock-retain-until-date")
        if bool(mode) != bool(until) or (mode and not self.headers.get("content-md5")):
            raise Refused(400, "InvalidRequest", "a lock needs mode, date and Content-MD5")
        if mode:
            store.locks[name] = (mode, datetime.datetime.strptime(until, "%Y-%m-%dT%H:%M:%SZ"))
        store.objects[name] = body
        return 200, b""

    def retain(self, store, name, held, body):
        text = body.decode()
        mode, until = text.split("<Mode>")[1].split("<")[0], text.split("<RetainUntilDate>")[1].split("<")[0]
        then = datetime.datetime.strptime(until, "%Y-%m-%dT%H:%M:%SZ")
        if held is None:
            raise Refused(404, "NoSuchKey")
        if not self.headers.get("content-md5") or (name in store.locks and then < store.locks[name][1]):
            raise Refused(403, "AccessDenied", "a lock never gets shorter")
        store.locks[name] = (mode, then)
        return 200, b""


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """Whoever asked was killed: that is what the test does."""


class Store:
    def __init__(self, certificate=None):
        self.objects, self.locks, self.bodies, self.log, self.refused = {}, {}, {}, [], []
        self.lock, self.hook, self.hides = threading.RLock(), None, False
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.store = self
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        self.url = "%s://127.0.0.1:%d" % ("https" if certificate else "http", self.port)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
