#!/bin/sh
# tests/e2e/quickstart.sh BIN: the quickstart's drill with the programs just built; twice in a row, since it must work twice.
# Exit 77 (skipped) where there is no root, nginx or PostgreSQL.
set -u
here=$(cd "$(dirname "$0")/../.." && pwd)
[ "$(id -u)" = 0 ] || { echo "skipped: needs root"; exit 77; }
for program in nginx psql git ssh-keygen curl unshare ss; do
	command -v $program >/dev/null || { echo "skipped: needs $program"; exit 77; }
done
/usr/bin/python3 -c 'import aiosmtpd' 2>/dev/null || { echo "skipped: needs python3-aiosmtpd"; exit 77; }
work=$(mktemp -d /tmp/kedge-e2e.XXXXXX) || exit 1
trap 'rm -rf "$work"' EXIT
for run in first second; do
	echo "-- the $run run"
	if ! sh "$here/packaging/quickstart.sh" --bin "$1" --dir "$work/q" --once; then
		for log in "$work"/q/log/*.log; do echo "-- $log"; tail -n 25 "$log"; done
		exit 1
	fi
done
