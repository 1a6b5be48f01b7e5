#!/bin/sh
# tests/bench/faults.sh: does the first fix that Kedge proposes work?  Faults are injected into the quickstart's services, the first suggested
# action is applied as the product proposes it, and health must be proven with nothing else harmed.  faults/faults.tsv lists the faults.
#
#   tests/bench/faults.sh [--bin DIR] [--worlds N] [--only SET-KIND-OR-FAULT,…] [--seed N] [--out FOLDER] [--fit] [--must PERCENT] [--smoke] [--verify]
#
# Each set of faults is run apart and reported apart; what the product recorded about a fault that it did not mend lies in OUT/evidence.
# Real nginx and PostgreSQL on loopback, each host's folder on a small tmpfs in a mount namespace of this bench; two operators sign, a
# standing policy lets restarts and rollbacks of configuration and code go by themselves.  All of it takes some 50 minutes in two worlds
# (at once, on ports of their own).  --fit writes packaging/models/root-cause.calibration anew.  --smoke: three faults of different kinds in one
# world, all of which must work.  --verify: without Kedge; is each fault seen by visitors, and does a hand mend it as the list says?
# Exit 77: skipped.
set -u
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
bin=$root/build/release/bin worlds=2 only='' seed=1 out='' fit='' must='' smoke='' verify=''
while [ $# -gt 0 ]; do
	case $1 in
	--bin) bin=$(cd "$2" && pwd) || exit 2; shift ;;
	--worlds) worlds=$2; shift ;;
	--only) only=$2; shift ;;
	--seed) seed=$2; shift ;;
	--out) out=$2; shift ;;
	--must) must=$2; shift ;;
	--fit) fit=1 ;;
	--verify) verify=1 ;;
	--smoke) smoke=1 worlds=1 must=100 only=config_503,killed_term,connections_idle ;;
	*) sed -n '5p' "$0" | sed 's/^# *//'; exit 2 ;;
	esac
	shift
done
[ "$(id -u)" = 0 ] || { echo "skipped: needs root"; exit 77; }
for program in nginx psql git ssh-keygen unshare setsid openssl faketime setpriv prlimit pgrep ss; do
	command -v $program >/dev/null || { echo "skipped: needs $program"; exit 77; }
done
/usr/bin/python3 -c 'import aiosmtpd' 2>/dev/null || { echo "skipped: needs python3-aiosmtpd"; exit 77; }
unshare -m --propagation private mount -t tmpfs none /mnt 2>/dev/null || { echo "skipped: no mount namespace may be made here"; exit 77; }
[ -n "$verify" ] || [ -x "$bin/kedge-controller" ] || { echo "there are no programs in $bin: --bin DIR" >&2; exit 2; }
work=$(mktemp -d /tmp/kedge-faults.XXXXXX) || exit 1
[ -n "$out" ] || out=$work/out
chmod 755 "$work"
mkdir -p "$out"
if [ -n "$verify" ]; then
	i=0 pids='' code=0
	while [ "$i" -lt "$worlds" ]; do
		unshare -m --propagation private /usr/bin/python3 "$here/faults/verify.py" "$work/v$i" --share "$i/$worlds" ${only:+--only "$only"} &
		pids="$pids $!"
		i=$((i + 1))
	done
	for pid in $pids; do wait "$pid" || code=1; done
	rm -rf "$work"
	exit $code
fi
began=$(date +%s)
i=0 pids=''
while [ "$i" -lt "$worlds" ]; do
	rm -f "$out/results-$i.jsonl"
	unshare -m --propagation private /usr/bin/python3 "$here/faults/run.py" "$bin" "$work/w$i" --seed "$seed" --share "$i/$worlds" ${only:+--only "$only"} \
		--evidence "$out/evidence" --out "$out/results-$i.jsonl" &
	pids="$pids $!"
	i=$((i + 1))
done
code=0
for pid in $pids; do wait "$pid" || code=1; done
cat "$out"/results-*.jsonl >"$out/results.jsonl"
/usr/bin/python3 "$here/faults/report.py" "$out/results.jsonl" ${fit:+--fit "$root/packaging/models/root-cause.calibration"} ${must:+--must "$must"} | tee "$out/table.txt"
[ -z "$must" ] || /usr/bin/python3 "$here/faults/report.py" "$out/results.jsonl" --must "$must" >/dev/null || code=1
echo "$(($(date +%s) - began)) s; results and table in $out"
case $out in "$work"/*) [ -n "$smoke" ] && [ $code = 0 ] && rm -rf "$work" ;; *) rm -rf "$work" ;; esac
exit $code
