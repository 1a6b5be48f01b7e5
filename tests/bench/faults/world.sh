#!/bin/sh
# tests/bench/faults/world.sh BIN DIR up | bare | down | restore HOST… | before NAME HOST | inject NAME HOST | mend REPAIR HOST | well | end | sum | marks:
# the quickstart's world for the bench of faults.
#
# `up` starts the services (each host's on a small volume of its own, a tmpfs), Kedge and three agents, `bare` the services alone; `inject`
# makes one fault; `before` makes the harmless change that a fault wants just before it (3: none); `well` asks the services what their visitors
# ask, without Kedge, and prints a line for each thing that is wrong; `mend` does by hand, without Kedge, what the list of faults says would
# mend one (`kept` notes beforehand what it goes back to, `forget` the opposite); `end` ends what a fault left running; `restore` brings the services back as they were, whatever happened to them; `sum` prints a
# line for each thing that must be as it was: trees, and what the database holds; `marks` one for each thing that a repair elsewhere leaves
# alone.  Run it in a mount namespace of its own.
set -u
umask 022
here=$(cd "$(dirname "$0")/../../.." && pwd)
bin=$(cd "$1" && pwd) dir=$2 verb=$3
shift 3

say() { printf '%s\n' "$*"; }
warn() { printf 'faults: %s\n' "$*" >&2; }
die() { printf 'faults: %s\n' "$*" >&2; exit 1; }

# shellcheck source=../../../packaging/quickstart/services.sh
. "$here/packaging/quickstart/services.sh"
# shellcheck source=../../../packaging/quickstart/fleet.sh
. "$here/packaging/quickstart/fleet.sh"
# shellcheck source=../../../packaging/quickstart/drill.sh
. "$here/packaging/quickstart/drill.sh"
# shellcheck source=helpers.sh
. "$here/tests/bench/faults/helpers.sh"
# shellcheck source=inject.sh
. "$here/tests/bench/faults/inject.sh"
# shellcheck source=inject-4.sh
. "$here/tests/bench/faults/inject-4.sh"
# shellcheck source=inject-5.sh
. "$here/tests/bench/faults/inject-5.sh"
# shellcheck source=inject-6.sh
. "$here/tests/bench/faults/inject-6.sh"
# shellcheck source=inject-7.sh
. "$here/tests/bench/faults/inject-7.sh"
# shellcheck source=inject-8.sh
. "$here/tests/bench/faults/inject-8.sh"
# shellcheck source=inject-9.sh
. "$here/tests/bench/faults/inject-9.sh"
# shellcheck source=inject-10.sh
. "$here/tests/bench/faults/inject-10.sh"

hosts="web-1 web-2 db-1"
services=$dir/services
database() { timeout 10 psql -w -X -q -A -t -h "$services/db-1/run" -p 5432 -U kedge -d "${2:-portal}" -c "$1"; }

# The standing policy of a site that trusts it further than the quickstart does: restarts and configuration of the database, too.
bench_policy() {
	cat >"$dir/operator/policy.yaml" <<-YAML
		name: night
		services: [ portal, records-db ]
		components: [ config, code ]
		actions: [ restart ]
		least_severity: medium
		least_confidence: 0.5
		max_hosts: 1
		max_per_hour: 1000
		cool_down: 1ms
		expires: $(date -u -d '+30 days' +%Y-%m-%dT%H:%M:%SZ)
		reason: the bench of faults
	YAML
	rm -f "$dir/operator/policy.yaml.sig"
	ssh-keygen -q -Y sign -f "$dir/operator/approval" -n kedge-policy "$dir/operator/policy.yaml" >/dev/null 2>&1
}

# What the quickstart leaves to minutes happens in seconds here; faults in a row are faults apart, and each host may be changed often.
in_seconds() {
	sed -i 's/incident: { prove: 500ms }/incident: { prove: 500ms, relapse: 1ms, release: 1s }/' "$dir/controller/controller.yaml"
}
agent_in_seconds() {
	sed -i -e "s|^approvers: \[ \(.*\) \]|approvers: [ \1, \"$(cat "$dir/second/approval.pub")\" ]|" -e 's/max_per_hour: 20/max_per_hour: 60/' -e 's/tier: deep, timeout: 2s,/tier: deep, every: 2s, timeout: 900ms, fall: 2,/' \
		"$dir/agents/$1/agent.yaml"
}

controller_up() {
	controller_configure
	in_seconds
	spawn controller "$bin/kedge-controller" run --config "$dir/controller/controller.yaml"
	printf '#!/bin/sh\nexec %s/kedge --config %s/kedge.yaml "$@"\n' "$bin" "$dir" >"$dir/kedge"
	chmod 755 "$dir/kedge"
	wait_for 15 "the controller" port_open "$operators_port" || die "the controller did not start: see $dir/log/controller.log"
}

agent_up() {
	port=$pg_port tls_port=''
	case $1 in web-1) port=$web1_port tls_port=$tls1_port ;; web-2) port=$web2_port tls_port=$tls2_port ;; esac
	agent_configure "$1" "$port"
	agent_in_seconds "$1"
	token=$(kedge host enrol "$1") || die "no token for $1"
	"$bin/kedge-agent" join --config "$dir/agents/$1/agent.yaml" --token "$token" --authority "$dir/ca/authority.pem" \
		--controller "https://127.0.0.1:$operators_port" >>"$dir/log/agent-$1.log" 2>&1 || die "$1 was not enrolled"
	spawn "agent-$1" "$bin/kedge-agent" run --config "$dir/agents/$1/agent.yaml"
}

# A second operator, whose key the hosts pin: nobody approves a change of their own.
second_operator() {
	"$bin/kedge" ca issue operator second --dir "$dir/ca" --out "$dir/second" >>"$dir/log/ca.log"
	sed "s|$dir/operator/|$dir/second/|g" "$dir/kedge.yaml" >"$dir/second.yaml"
	kedge operator put founder --role admin --role approver --role responder --role viewer --public-key "$dir/operator/approval.pub" >/dev/null &&
		kedge operator put second --role approver --role responder --role viewer --public-key "$dir/second/approval.pub" >/dev/null
}

# Ports of this world's own, by its folder's name: a port that nobody listens on may be that of another world's service, which a fault has stopped.
choose_ports() {
	at=$((20000 + $(printf '%s' "$dir" | cksum | cut -d ' ' -f 1) % 300 * 40))
	agents_port=$(free_port $at)
	operators_port=$(free_port $((at + 5)))
	web1_port=$(free_port $((at + 10)))
	web2_port=$(free_port $((at + 15)))
	tls1_port=$(free_port $((at + 20)))
	tls2_port=$(free_port $((at + 25)))
	smtp_port=$(free_port $((at + 30)))
	pg_port=5432 # only the name of a socket below $dir
	printf 'agents_port=%s operators_port=%s web1_port=%s web2_port=%s tls1_port=%s tls2_port=%s smtp_port=%s pg_port=%s\n' "$agents_port" "$operators_port" "$web1_port" \
		"$web2_port" "$tls1_port" "$tls2_port" "$smtp_port" "$pg_port" >"$dir/ports"
}

volumes() {
	for host in $hosts; do
		mkdir -p "$services/$host"
		size=24m inodes=6000
		[ "$host" = db-1 ] && size=200m inodes=20000
		mount -t tmpfs -o "size=$size,nr_inodes=$inodes,mode=755" "faults-$host" "$services/$host" || die "no volume for $host: needs root and a mount namespace"
	done
}

reference_keep() { # services must stand still
	mkdir -p "$dir/kept"
	for host in $hosts; do cp -a "$services/$host" "$dir/kept/$host"; done
	cp -a "$services/site.git" "$services/desk" "$dir/kept/"
}

bare() {
	mkdir -p "$dir/log" "$services"
	: >"$dir/log/git.log"
	volumes
	choose_ports || exit 1
	services_create
	sed -i 's/^user root;/user nobody nogroup;/' "$services"/web-?/conf/nginx.conf # so that modes mean something to it
	services_start
	database 'CHECKPOINT'
	services_stop
	reference_keep
	services_start
}

up() {
	mkdir -p "$dir/controller" "$dir/operator" "$dir/second" "$dir/mail"
	bare
	authority_create || exit 1
	ssh-keygen -q -t ed25519 -N '' -C second -f "$dir/second/approval"
	mail_start
	controller_up
	second_operator || die "no second operator"
	if ! bench_policy || ! kedge policy install "$dir/operator/policy.yaml" >/dev/null; then die "the policy was not installed"; fi
	for host in $hosts; do agent_up "$host"; done
	wait_for 60 "all services HEALTHY" all_healthy || die "not healthy: see $dir/log"
	wait_for 60 "first restore points" all_snapshotted || die "no restore points: see $dir/log"
	sum >"$dir/reference.sum"
}

down() {
	# shellcheck source=/dev/null
	. "$dir/ports"
	end_fault
	stop_all
	for host in $hosts; do umount -l "$services/$host" 2>/dev/null; done
}

# ---- as it was ----

tree_line() { printf '%s %s %s\n' "$1" "$2" "$(tree_sum "$services/$1/$2" | sha256sum | cut -c 1-16)"; }
sum() {
	for host in web-1 web-2; do
		tree_line "$host" conf
		tree_line "$host" site
		tree_line "$host" uploads
	done
	tree_line db-1 conf
	printf 'db-1 records %s\n' "$(database 'SELECT md5(string_agg(r::text, chr(10) ORDER BY record_id)) FROM records r' 2>&1 | head -n 1)"
	printf 'db-1 schema %s\n' "$(schema)"
	printf 'db-1 settings %s\n' "$(database 'SELECT md5(string_agg(name || setting, chr(10) ORDER BY name)) FROM pg_settings WHERE source IN ('\''configuration file'\'', '\''database'\'', '\''user'\'', '\''database user'\'', '\''global'\'')' 2>&1 | head -n 1)"
}
schema() { # tried again: where connections are few, the probes may have the last one
	for _ in 1 2 3 4 5; do
		if text=$(as_kedge pg_dump -s portal 2>&1) && globals=$(as_kedge pg_dumpall -g 2>&1); then
			printf '%s\n%s\n' "$text" "$globals" | grep -v '^[-\\]' | sha256sum | cut -c 1-16
			return
		fi
		sleep 0.5
	done
	printf 'cannot be read: %s\n' "$(printf '%s' "$text" | tail -n 1)"
}
as_kedge() { program=$1; shift; PGOPTIONS='-c statement_timeout=5s -c lock_timeout=3s' timeout 10 "$(pg_bin)/$program" -h "$services/db-1/run" -p 5432 -U kedge -w "$@"; }

# What no repair of another host's service touches: which process leads each service and since when, how much has been written, and what lies outside.
begun() { # begun PID
	if [ -n "$1" ] && [ -r "/proc/$1/stat" ]; then printf '%s since %s\n' "$1" "$(sed 's/.*) //' "/proc/$1/stat" | cut -d ' ' -f 20)"; else echo none; fi
}
marks() {
	for host in web-1 web-2; do
		printf '%s process %s\n' "$host" "$(begun "$(pgrep -o -f "^nginx: master process .*-c $services/$host/conf/nginx.conf")")"
	done
	printf 'db-1 process %s\n' "$(begun "$(head -n 1 "$services/db-1/data/postmaster.pid" 2>/dev/null)")"
	printf 'db-1 pulses %s\n' "$(database 'SELECT count(*) FROM pulse' 2>/dev/null || echo 0)"
	for host in web-1 web-2; do printf '%s tls %s\n' "$host" "$(cat "$services/$host"/tls/site.* 2>/dev/null | sha256sum | cut -c 1-16)"; done
	printf 'outside programs %s\n' "$(cat "$services"/*/ctl "$dir"/agents/*/agent.yaml "$dir/controller/controller.yaml" "$dir"/*.yaml | sha256sum | cut -c 1-16)"
	printf 'outside identities %s\n' "$(find "$dir/ca" "$dir/operator" "$dir/second" "$dir/controller/identity" -type f -name '*.[kp]e[ym]' | LC_ALL=C sort | xargs cat | sha256sum | cut -c 1-16)"
	printf 'outside repository %s\n' "$(git -C "$services/site.git" for-each-ref | sha256sum | cut -c 1-16)"
	printf 'outside names %s\n' "$(cd "$dir" && find . -maxdepth 1 | LC_ALL=C sort | sha256sum | cut -c 1-16)"
}

# ---- what visitors find, and what a hand would do ----

ill() { printf '%s\n' "$*"; }
fetched() { curl -sS --max-time 2 "$@" 2>&1; } # fetched OPTION… URL
well_web() { # well_web HOST PORT TLS_PORT
	at=$services/$1
	fetched -f "http://127.0.0.1:$2/" | grep -q portal-ready || ill "$1: its page is not there"
	fetched -f --cacert "$at/tls/site.pem" "https://127.0.0.1:$3/" | grep -q portal-ready || ill "$1: its page is not there with TLS"
	for n in 1 2 3; do
		[ "$(fetched -f "http://127.0.0.1:$2/uploads/upload-$n.txt" | tr -d '\0')" = "upload $n of $1" ] || ill "$1: upload $n is not what it was"
	done
	said=$(timeout 2 "$at/site/bin/healthz" "$services/db-1/run" "$pg_port" "$at/spool" 2>&1) || ill "$1: its own check says: $(printf '%s' "$said" | head -n 1)"
	kill -0 "$(cat "$at/run/nginx.pid" 2>/dev/null)" 2>/dev/null || ill "$1: no process of its number"
}
well() {
	well_web web-1 "$web1_port" "$tls1_port"
	well_web web-2 "$web2_port" "$tls2_port"
	asked="timeout 2 psql -w -X -q -A -t -h $services/db-1/run -p $pg_port -U kedge -d portal -c"
	# shellcheck disable=SC2086
	said=$($asked 'INSERT INTO pulse DEFAULT VALUES' 2>&1) || ill "db-1: does not take what is written: $(printf '%s' "$said" | head -n 1)"
	# shellcheck disable=SC2086
	said=$($asked 'SELECT count(*) FROM records' 2>&1)
	[ "$said" = 1000 ] || ill "db-1: has not the records it had: $(printf '%s' "$said" | head -n 1)"
	# shellcheck disable=SC2086
	said=$($asked "SET work_mem = '64kB'; SELECT count(*) FROM (SELECT n FROM generate_series(1, 20000) n ORDER BY md5(n::text)) s" 2>&1)
	[ "$said" = 20000 ] || ill "db-1: cannot sort: $(printf '%s' "$said" | head -n 1)"
}

parts='conf site uploads data spool'
part_of() { # part_of COMPONENT
	case $1 in config) echo conf ;; code) echo site ;; data) echo uploads ;; database) echo data ;; *) die "no component $1" ;; esac
}
keep_parts() { # as they are now, for `mend`
	rm -rf "$dir/now"
	for at in web-1 web-2 db-1; do
		"$services/$at/ctl" stop >/dev/null 2>&1
		mkdir -p "$dir/now/$at"
		for part in $parts; do [ ! -d "$services/$at/$part" ] || cp -a "$services/$at/$part" "$dir/now/$at/"; done
		"$services/$at/ctl" start >/dev/null 2>&1
	done
}
mend() { # mend REPAIR, on $host: what its agent.yaml declares, and no more
	case $1 in
	restart) again ;;
	renew-certificate) "$base/ctl" renew start ;;
	free-space) "$base/ctl" free >/dev/null 2>&1 ;;
	free-connections) "$base/ctl" free-slots ;;
	set-modes) "$base/ctl" modes >/dev/null 2>&1 ;;
	"rollback "*)
		part=$(part_of "${1#rollback }")
		from=$dir/kept/$host/$part
		[ ! -d "$dir/now" ] || from=$dir/now/$host/$part
		"$base/ctl" stop >/dev/null 2>&1
		if mountpoint -q "$base/$part"; then cp -a "$from/." "$base/$part/"; else rm -rf "${base:?}/$part" && cp -a "$from" "$base/$part"; fi
		"$base/ctl" start >/dev/null 2>&1
		;;
	*) die "no repair $1" ;;
	esac
}

stop_hard() { # whatever holds the service's folder
	base=$services/$1
	"$base/ctl" stop >/dev/null 2>&1
	for pid in $(pgrep -f "$base/"); do
		case $(readlink "/proc/$pid/exe" 2>/dev/null) in
		*/nginx | */postgres) kill -KILL $(pgrep -P "$pid") "$pid" 2>/dev/null ;;
		esac
	done
}

restore_host() {
	for part in $parts; do umount -l "$services/$1/$part" 2>/dev/null; done
	stop_hard "$1"
	chmod -R u+rwX "$services/$1" 2>/dev/null
	find "$services/$1" -mindepth 1 -delete
	cp -a "$dir/kept/$1/." "$services/$1/"
	[ "$1" = db-1 ] || "$services/$1/ctl" renew
	for _ in 1 2 3 4 5; do "$services/$1/ctl" start >/dev/null 2>&1 && break; sleep 0.5; done
}

restore() { # HOST…
	# shellcheck source=/dev/null
	. "$dir/ports"
	for host in "$@"; do restore_host "$host"; done
	rm -rf "$services/site.git" "$services/desk"
	cp -a "$dir/kept/site.git" "$dir/kept/desk" "$services/"
}

postgres_choose_quietly() { postgres_choose >/dev/null 2>&1; }

case $verb in
up) up ;;
bare)
	bare
	sum >"$dir/reference.sum"
	;;
down) down ;;
sum)
	# shellcheck source=/dev/null
	. "$dir/ports"
	sum
	;;
restore) postgres_choose_quietly; restore "$@" ;;
marks) marks ;;
well)
	# shellcheck source=/dev/null
	. "$dir/ports"
	well
	;;
mend)
	# shellcheck source=/dev/null
	. "$dir/ports"
	host=$2 base=$services/$2
	mend "$1"
	;;
kept) keep_parts ;;
forget) rm -rf "$dir/now" ;;
end) end_fault ;;
before | inject)
	# shellcheck source=/dev/null
	. "$dir/ports"
	name=$1 host=${2:-}
	base=$services/$host
	if [ "$verb" = inject ]; then "fault_$name"; else command -v "before_$name" >/dev/null || exit 3; "before_$name"; fi ;;
*) die "up, bare, down, restore, before, inject, mend, well, kept, forget, end, sum or marks?" ;;
esac
