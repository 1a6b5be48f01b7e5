"""tests/e2e/ceph_bucket.py URL ACCESS SECRET USER BUCKET [--plain|--check ACCESS SECRET]: a bucket with object lock (--plain: without) in which
USER may put, get and lock, and nothing else; --check: that this is so, and that what was copied there cannot be deleted, not even by its owner.
"""
import datetime
import hashlib
import json
import pathlib
import sys
import urllib.error
import urllib.parse
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import s3_server  # noqa: E402

URL, ACCESS, SECRET, USER, BUCKET = sys.argv[1:6]


def ask(method, path, query="", body=b"", access=ACCESS, secret=SECRET, **headers):
    """(status, body or headers), signed by the other implementation of the two that this folder has."""
    date = datetime.datetime.utcnow().strftime("%Y%m%dT%H%M%SZ")
    payload = hashlib.sha256(body).hexdigest()
    h = {"host": URL.split("//")[1], "x-amz-date": date, "x-amz-content-sha256": payload, **{k.replace("_", "-"): v for k, v in headers.items()}}
    names = sorted(h)
    h["authorization"] = "AWS4-HMAC-SHA256 Credential=%s/%s/us-east-1/s3/aws4_request,SignedHeaders=%s,Signature=%s" % (
        access, date[:8], ";".join(names), s3_server.signature(method, path, query, h, names, payload, secret, "us-east-1", date))
    request = urllib.request.Request(URL + path + ("?" + query if query else ""), data=body if method in ("PUT", "POST") else None, method=method, headers=h)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read() or str(answer.headers).encode()
    except urllib.error.HTTPError as e:
        return e.code, e.read()


def must(what, got, *wanted):
    if got[0] not in wanted:
        sys.exit("%s: %s %s" % (what, got[0], got[1].decode(errors="replace")[:500]))
    return got[1].decode(errors="replace")


def make(plain):
    must("make the bucket", ask("PUT", "/" + BUCKET, **({} if plain else {"x_amz_bucket_object_lock_enabled": "true"})), 200)
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": ["arn:aws:iam:::user/" + USER]},
              "Action": ["s3:GetObject", "s3:PutObject", "s3:PutObjectRetention"], "Resource": ["arn:aws:s3:::%s/*" % BUCKET]}]}
    must("set its policy", ask("PUT", "/" + BUCKET, "policy=", json.dumps(policy).encode()), 200, 204)


def versions_of(listing):
    return [(k.split("</Key>")[0], k.split("<VersionId>")[1].split("<")[0]) for k in listing.split("<Key>")[1:]]


def delete_for_good(key, version, *wanted):
    must("delete %s for good as the bucket's owner" % key, ask("DELETE", "/%s/%s" % (BUCKET, key), "versionId=" + urllib.parse.quote(version, safe="")), *wanted)


def check(access, secret):
    host = {"access": access, "secret": secret}
    versions = versions_of(must("list as the owner", ask("GET", "/" + BUCKET, "versions="), 200))
    if len(versions) < 5 or len({k for k, _ in versions}) != len(versions):
        sys.exit("each object should be there once: %s" % versions)
    must("list as the host", ask("GET", "/" + BUCKET, **host), 403)
    # what is not locked the owner may delete: so it is the lock that refuses below
    must("put without a lock", ask("PUT", "/%s/unlocked" % BUCKET, body=b"x", **host), 200)
    [(key, version)] = [v for v in versions_of(must("list", ask("GET", "/" + BUCKET, "versions="), 200)) if v[0] == "unlocked"]
    delete_for_good(key, version, 204)
    for key, version in versions:
        path = "/%s/%s" % (BUCKET, key)
        must("delete %s as the host" % key, ask("DELETE", path, **host), 403)
        delete_for_good(key, version, 403)
        must("get %s as the host" % key, ask("GET", path, **host), 200)
    print("%d objects, each put once, each locked" % len(versions))


if sys.argv[6:7] == ["--check"]:
    check(*sys.argv[7:9])
else:
    make(sys.argv[6:7] == ["--plain"])
