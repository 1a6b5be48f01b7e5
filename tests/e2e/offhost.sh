#!/bin/sh
# Copies off the host against a real object store: Ceph's radosgw on one node, on loopback, in memory.
#
#   tests/e2e/offhost.sh BIN          BIN: the folder with kedge-agent and kedge-copy
#
# It needs the Debian packages radosgw, ceph-mon, ceph-osd and ceph-common (apt-get install --no-install-recommends), which is why it is
# a command of its own and no part of every run of the tests; without them it says so and ends with 77.  What it checks that our own
# strict store (s3_server.py) cannot: that somebody else's store agrees about signatures, conditional puts, object lock, and about a
# credential that may put, get and lock, and nothing else.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
bin=${1:?usage: tests/e2e/offhost.sh BIN}

for program in ceph-mon ceph-osd radosgw radosgw-admin ceph monmaptool ceph-authtool; do
	if ! command -v "$program" >/dev/null; then
		echo "skipped: $program is not installed (packages radosgw, ceph-mon, ceph-osd, ceph-common)"
		exit 77
	fi
done

dir=$(mktemp -d /tmp/kedge-test-ceph-XXXXXX)
finish() {
	for f in "$dir"/run/*.pid; do
		[ ! -s "$f" ] || kill "$(cat "$f")" 2>/dev/null || :
	done
	i=0
	while [ $i -lt 150 ]; do # their folder goes when they have
		alive=
		for f in "$dir"/pids/*; do
			[ ! -s "$f" ] || ! kill -0 "$(cat "$f")" 2>/dev/null || alive=1
		done
		[ -n "$alive" ] || break
		sleep 0.1
		i=$((i + 1))
	done
	rm -rf "$dir"
}
trap finish EXIT
trap 'exit 1' INT TERM

port() { /usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
mon_port=$(port)
s3_port=$(port)
fsid=$(cat /proc/sys/kernel/random/uuid)
osd=$(cat /proc/sys/kernel/random/uuid)
mkdir "$dir/mon" "$dir/osd" "$dir/run" "$dir/pids" "$dir/log" "$dir/rgw"
cat >"$dir/ceph.conf" <<END
[global]
fsid = $fsid
mon host = v2:127.0.0.1:$mon_port
public addr = 127.0.0.1
cluster addr = 127.0.0.1
keyring = $dir/keyring
run dir = $dir/run
log file = $dir/log/\$name.log
admin socket = $dir/run/\$name.asok
pid file = $dir/run/\$name.pid
mon data = $dir/mon
osd data = $dir/osd
rgw data = $dir/rgw
osd objectstore = memstore
memstore device bytes = 2147483648
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd crush chooseleaf type = 0
mon allow pool size one = true
mon warn on pool no redundancy = false
rgw frontends = beast endpoint=127.0.0.1:$s3_port
END
ceph() { command ceph -c "$dir/ceph.conf" "$@"; }
admin() { radosgw-admin -c "$dir/ceph.conf" -n client.admin "$@"; }

echo "starting Ceph in $dir"
ceph-authtool --create-keyring "$dir/keyring" --gen-key -n mon. --cap mon 'allow *' >/dev/null
ceph-authtool "$dir/keyring" --gen-key -n client.admin --cap mon 'allow *' --cap osd 'allow *' >/dev/null
ceph-authtool "$dir/keyring" --gen-key -n osd.0 --cap mon 'allow profile osd' --cap osd 'allow *' >/dev/null
ceph-authtool "$dir/keyring" --gen-key -n client.rgw --cap mon 'allow rw' --cap osd 'allow rwx' >/dev/null
monmaptool --create --fsid "$fsid" --addv a "[v2:127.0.0.1:$mon_port]" "$dir/monmap" >/dev/null
ceph-mon -c "$dir/ceph.conf" --mkfs -i a --monmap "$dir/monmap" --keyring "$dir/keyring" 2>>"$dir/log/start"
ceph-mon -c "$dir/ceph.conf" -i a 2>>"$dir/log/start"
ceph osd new "$osd" 0 >/dev/null
{
	ceph-osd -c "$dir/ceph.conf" -i 0 --mkfs --osd-uuid "$osd" --no-mon-config
	ceph-osd -c "$dir/ceph.conf" -i 0
	radosgw -c "$dir/ceph.conf" -n client.rgw --no-mon-config
} 2>>"$dir/log/start"
cp "$dir"/run/*.pid "$dir/pids/"
i=0
until curl -s -m 2 "http://127.0.0.1:$s3_port/" | grep -q ListAllMyBuckets; do
	i=$((i + 1))
	if [ $i -gt 120 ]; then
		echo "radosgw does not answer:"
		tail -n 20 "$dir/log/client.rgw.log"
		exit 1
	fi
	sleep 0.5
done

secret=$(od -An -N20 -tx1 /dev/urandom | tr -d ' \n')
admin user create --uid owner --display-name owner --access-key OWNER --secret-key "owner$secret" >/dev/null
admin user create --uid host --display-name host --access-key KEDGEHOST --secret-key "host$secret" >/dev/null
url=http://127.0.0.1:$s3_port
bucket() { /usr/bin/python3 "$here/ceph_bucket.py" "$url" OWNER "owner$secret" host "$@"; }
copies() { /usr/bin/python3 "$here/offhost.py" "$bin" "$url" KEDGEHOST "host$secret" us-east-1 "$@"; }
echo "a bucket without versions"
bucket kedge-plain --plain
copies kedge-plain ''
echo "a bucket with object lock"
bucket kedge-copies
copies kedge-copies ', lock_days: 1, lock_mode: governance'
bucket kedge-copies --check KEDGEHOST "host$secret"
