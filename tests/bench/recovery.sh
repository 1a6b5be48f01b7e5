#!/bin/sh
# tests/bench/recovery.sh: snapshots and rollbacks of code, configuration, data and databases, ours and other tools', from one run: a table of
# what was measured, what must hold and what is aimed at, and how many times as long others take.
#
#   tests/bench/recovery.sh [--build DIR] [--rounds N] [--peers kedge,restic,borg,rsync,git,tar] [--dir DIR] [--trees DIR] [--figures FILE]
#       [config] [code] [data] [postgres] [watch]       these by default
#       [mission]                                        10 GB: the mission's own limits, and what a terabyte would take; some ten minutes
#       [table]                                          only what --figures has kept of sections that were run apart
#   tests/bench/recovery.sh --scale 10000,100000,1000000    cost against size
#
# --trees keeps generated trees, --figures what was measured, from run to run.
# Beside each row that the disk decides stands the limit: what ../shared/bench/limits.c took for it in this run, and its ratio to ours.
# Before what is timed the machine is brought to rest (recovery_machine.py says how and why): no tree was removed for a minute, and the page
# frames that a hypervisor took back are there; for ours, the peers and the limit alike.  Trees that are done with stay until a section is over.
# Needs the trees of ../shared/bench/gen.py (or $KEDGE_SHARED/bench/gen.py), root for owners, some 35 GB of room (with less it waits more) (mission: 30) and python3; says
# so and skips without the generator.  Peers that are not installed are left out.  Not a test: by hand, on a machine with nothing else to do.
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
generator=${KEDGE_SHARED:-$root/../shared}/bench/gen.py
if [ ! -f "$generator" ]; then
	echo "skipped: there is no $generator (set KEDGE_SHARED)"
	exit 0
fi
PYTHONDONTWRITEBYTECODE=1 exec python3 "$here/recovery.py" --generator "$generator" --root "$root" "$@"
