"""tests/e2e/database/wide.py: a cluster whose files are large enough to be brought back in the middle of it: a wide table, and one in a tablespace.

It lies on a disk of its own, at folder/disk.
"""
FREE = 48 << 20  # that is left there: a second cluster would need 90 MB


def fill(c):
    c.sql("CREATE TABLE wide AS SELECT i, repeat(md5(i::text), 3) AS pad FROM generate_series(1, 200000) i")
    (c.dir / "disk/space").mkdir()
    c.sql("CREATE TABLESPACE space LOCATION '%s/disk/space'" % c.dir)
    c.sql("CREATE TABLE aside TABLESPACE space AS SELECT i FROM generate_series(1, 100000) i")
    c.put(1)
    c.settled()
    c.ends(0, "snapshot", "create", "db")


def same(c):
    """What is in it, to be compared."""
    return c.sql("SELECT count(*) || ' ' || sum(hashtext(pad)) FROM wide") + " " + c.sql("SELECT sum(i) FROM aside") + " " + c.rows()


def change(c, n):
    c.sql("UPDATE wide SET pad = repeat('%d', 90) WHERE i / 2000 = %d" % (n % 10, n % 97))
    c.put(n)
    c.sql("UPDATE aside SET i = i + %d WHERE i %% 50 = 0" % n)
    if n % 2:
        c.sql("CREATE TABLE IF NOT EXISTS later AS SELECT * FROM wide LIMIT 9999")


def beside(c):
    """What a rollback has left, or is still at."""
    return [p.name for folder in (c.data.parent, c.data.parent / "space") for p in folder.iterdir() if ".kedge-" in p.name] + \
        [p.name for p in c.data.iterdir() if p.name.startswith(".") or p.name.endswith(".new")]


def is_between(c):
    """Neither what was there nor what it goes to; once pg_control is there again all is, and only the journal does not say so yet."""
    return c.unfinished() == "between" and not (c.data / "global/pg_control").exists()
