#!/bin/sh
# tests/bench/recovery.sh: snapshots and rollbacks of code, configuration and data, ours and other tools', from one run.
#
#   tests/bench/recovery.sh [--build DIR] [--rounds N] [--peers restic,borg,rsync,git,tar|none] [--dir DIR] [config] [code] [data]
#   tests/bench/recovery.sh --scale 10000,100000,1000000        cost against size
#
# Needs the trees of ../shared/bench/gen.py (or $KEDGE_SHARED/bench/gen.py), root for owners, some 12 GB of room and python3; says so and
# skips without the generator.  Peers that are not installed are left out.  Not a test: by hand, on a machine with nothing else to do.
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
generator=${KEDGE_SHARED:-$root/../shared}/bench/gen.py
if [ ! -f "$generator" ]; then
	echo "skipped: there is no $generator (set KEDGE_SHARED)"
	exit 0
fi
exec python3 "$here/recovery.py" --generator "$generator" --root "$root" "$@"
