#!/bin/sh
# A PostgreSQL cluster of some 1.1 GB, saved and brought back by Kedge, beside pgBackRest where it is installed.  By hand:
#   tests/bench/database/postgres.sh BUILD/bin/kedge-agent [SCALE [quick]]
# quick: without the rollbacks on disks of their own.
# Needs root (PostgreSQL runs in a user namespace in which root goes by its number), PostgreSQL 15, and 6 GB below ${TMPDIR:-/tmp}.
# One line a figure: what, who, seconds (median of three where it can be repeated).
# shellcheck disable=SC2012 # the names are PostgreSQL's own
set -eu
agent=$(realpath "$1")
scale=${2:-75}
bin=$(ls -d /usr/lib/postgresql/*/bin | tail -1)
uid=$(id -u postgres)
dir=$(mktemp -d "${TMPDIR:-/tmp}/kedge-bench-XXXXXX")
PATH=$bin:$PATH
export PATH
pg() { unshare --user --map-user="$uid" -- "$@"; }
sql() { psql -X -q -A -t -h "$dir/run" -p 5998 -U kedge -d bench -c "$1"; }
clean() {
	pg pg_ctl -D "$(sed -n 's/.*-D \([^ ]*\) -s -w -t.*/\1/p' "$dir/ctl")" -s -m immediate stop >/dev/null 2>&1 || true
	umount -l "$dir/disk" 2>/dev/null || true
	rm -rf "$dir"
}
trap clean EXIT INT TERM
now() { date +%s.%N; }
# seconds of one run of "$@", its output in $dir/out
timed() {
	t0=$(now)
	"$@" >"$dir/out" 2>&1 || { echo "failed: $*" >&2; tail -5 "$dir/out" >&2; exit 1; }
	t1=$(now)
	echo "$t1 - $t0" | bc
}
median() { sort -n | sed -n 2p; }
say() { printf '%-44s %-12s %8.3f s\n' "$1" "$2" "$3"; }

mkdir "$dir/run"
chmod 0711 "$dir"
cat >"$dir/ctl" <<END
#!/bin/sh
PATH=$bin:\$PATH
pg() { unshare --user --map-user=$uid -- "\$@"; }
case \$1 in
start) pg pg_ctl -D $dir/data -s -w -t 120 -l $dir/log start ;;
stop) pg pg_ctl -D $dir/data status >/dev/null 2>&1 || exit 0; pg pg_ctl -D $dir/data -s -w -m fast stop ;;
esac
END
chmod 755 "$dir/ctl"
cat >"$dir/agent.yaml" <<END
host: bench
state_directory: $dir/state
services:
  db:
    components:
      database:
        postgres: { data_directory: $dir/data, bin_directory: $bin, socket_directory: $dir/run, port: 5998, user: kedge, wal_archive: true,
          run_as: [unshare, --user, --map-user=$uid, --] }
    steps: { stop: [$dir/ctl, stop], start: [$dir/ctl, start], timeout: 5m }
    probes:
      - { name: rows, exec: [$bin/psql, -X, -q, -h, $dir/run, -p, "5998", -U, kedge, -d, bench, -c, "SELECT 1 FROM pgbench_branches LIMIT 1"] }
END
pg initdb -D "$dir/data" -U kedge -A trust --no-sync -E UTF8 --locale=C >/dev/null
cat >>"$dir/data/postgresql.conf" <<END
listen_addresses = ''
unix_socket_directories = '$dir/run'
port = 5998
shared_buffers = 256MB
max_wal_size = 4GB
archive_mode = on
archive_command = '$agent wal push %p %f --config $dir/agent.yaml'
END
"$dir/ctl" start
psql -X -q -h "$dir/run" -p 5998 -U kedge -d postgres -c 'CREATE DATABASE bench'
pgbench -q -i -s "$scale" -h "$dir/run" -p 5998 -U kedge bench >/dev/null 2>&1
sql CHECKPOINT
echo "cluster: $(du -sm --exclude=pg_wal "$dir/data" | cut -f1) MB"
# Of the rollback in $dir/out, by its own clock.
stop_to_ready() {
	sed -n 's/^\(stop\|restore\|start\|verify\|stage\|safety\).*/  &/p' "$dir/out"
	say "  of which from stop to ready" kedge "$(awk '$1 == "stop" { on = 1 } on && NF >= 4 && $2 == "done" { t += $4 == "ms" ? $3 / 1000 : $4 == "min" ? $3 * 60 : $3 } $1 == "verify" { on = 0 } END { print t }' "$dir/out")"
}
k() { "$agent" --config "$dir/agent.yaml" "$@"; }
# one page of every hundred, by chance
change() { sql "UPDATE pgbench_accounts SET abalance = abalance + 1 WHERE aid IN (SELECT (random() * 100000 * $scale)::int FROM generate_series(1, 300 * $scale / 100 * 100 / 20))" && sql CHECKPOINT; }

# One that the server still has, pushed three times anew.
sql "SELECT pg_switch_wal()" >/dev/null
sleep 2
seg=$(ls "$dir/data/pg_wal/archive_status" | sed -n 's/^\([0-9A-F]\{24\}\)\.done$/\1/p' | tail -1)
push() { (cd "$dir/data" && "$agent" wal push "pg_wal/$seg" "$seg" --config "$dir/agent.yaml"); }
say "WAL segment, push" kedge "$(for _ in 1 2 3; do rm -f "$dir/state/wal/db/log/$seg"; timed push; done | median)"
seg=$(ls "$dir/state/wal/db/log" | head -1)
say "WAL segment, fetch" kedge "$(for _ in 1 2 3; do timed "$agent" wal fetch "$seg" "$dir/fetched" --service db --config "$dir/agent.yaml"; done | median)"
say "base" kedge "$(timed k snapshot create db)"
say "nothing changed" kedge "$(for _ in 1 2 3; do timed k snapshot create db; done | median)"
say "1 % of pages changed" kedge "$(for _ in 1 2 3; do change; timed k snapshot create db; done | median)"
say "verify" kedge "$(timed k snapshot verify db)"
change
say "rollback" kedge "$(timed k rollback start db --to last)"
stop_to_ready
k snapshot create db >/dev/null
change
at=$(date -u +%Y-%m-%dT%H:%M:%S.000Z -d '+1 second'); sleep 2
change
say "point in time" kedge "$(timed k rollback start db --to-time "$at")"
stop_to_ready
# The same cluster on a disk of its own: $1 what, $2 where its data directory comes to be, $3 where it was, $4 how many MB of that disk stay free.
moved() {
	"$dir/ctl" stop
	cp -a "$3/." "$2"
	[ -z "${4:-}" ] || fallocate -l $(($(df -m --output=avail "$2" | tail -1) - $4))M "$dir/disk/filler"
	sed -i "s|$3\([ ,]\)|$2\1|g" "$dir/ctl" "$dir/agent.yaml"
	"$dir/ctl" start
	k snapshot create db >/dev/null
	change
	say "$1" kedge "$(timed k rollback start db --to last)"
	stop_to_ready
}
size=$(du -sm --exclude=pg_wal "$dir/data" | cut -f1)
if [ "${3:-}" = quick ]; then
	echo "skipped: rollbacks on disks of their own"
elif truncate -s $((size * 6))M "$dir/image" && mkfs.ext4 -q -m 0 "$dir/image" && mkdir "$dir/disk" && mount -o loop "$dir/image" "$dir/disk" 2>/dev/null; then
	chmod 0700 "$dir/disk"
	moved "rollback, the data directory is a mount point" "$dir/disk" "$dir/data"
	"$dir/ctl" stop
	mkdir -m 0700 "$dir/data2"
	cp -a "$dir/disk/." "$dir/data2" && umount "$dir/disk" && rmdir "$dir/data2/lost+found"
	mkfs.ext4 -q -F -m 0 "$dir/image" && mount -o loop "$dir/image" "$dir/disk" && chmod 0755 "$dir/disk" && mkdir -m 0700 "$dir/disk/data"
	sed -i "s|$dir/disk\([ ,]\)|$dir/data2\1|g" "$dir/ctl" "$dir/agent.yaml"
	moved "rollback, no room for a second one" "$dir/disk/data" "$dir/data2" $((size * 2 / 3))
	"$dir/ctl" stop
	rm -rf "$dir/data"
	cp -a "$dir/disk/data" "$dir/data"
	sed -i "s|$dir/disk/data\([ ,]\)|$dir/data\1|g" "$dir/ctl" "$dir/agent.yaml"
	"$dir/ctl" start
	umount "$dir/disk"
	rm -rf "$dir/image" "$dir/data2"
else
	echo "skipped: no file systems can be mounted here"
fi
if command -v pgbackrest >/dev/null; then
	cat >"$dir/br.conf" <<END
[global]
repo1-path=$dir/br
log-path=$dir
lock-path=$dir
spool-path=$dir/spool
log-level-console=error
log-level-file=off
process-max=2
start-fast=y
compress-type=zst
compress-level=1
repo1-cipher-type=aes-256-cbc
repo1-cipher-pass=bench
repo1-block=y
repo1-bundle=y
archive-async=n
[db]
pg1-path=$dir/data
pg1-socket-path=$dir/run
pg1-port=5998
pg1-user=kedge
END
	sed -i '/repo1-block/d' "$dir/br.conf"
	br() { pg pgbackrest --config="$dir/br.conf" --stanza=db "$@"; }
	sql "ALTER SYSTEM SET archive_command = 'pgbackrest --config=$dir/br.conf --stanza=db archive-push %p'" && sql "SELECT pg_reload_conf()" >/dev/null
	br stanza-create
	say "base" pgbackrest "$(timed br --type=full backup)"
	say "1 % of pages changed" pgbackrest "$(for _ in 1 2 3; do change; timed br --type=incr backup; done | median)"
	say "verify" pgbackrest "$(timed br verify)"
	change
	"$dir/ctl" stop
	say "delta restore and start" pgbackrest "$(timed sh -c "unshare --user --map-user=$uid -- pgbackrest --config=$dir/br.conf --stanza=db --delta --type=immediate --target-action=promote restore && $dir/ctl start")"
fi
