# packaging/quickstart/fleet.sh: Kedge itself around the services: authority, controller, three agents.  Sourced by quickstart.sh.

kedge() { "$bin/kedge" --config "$dir/kedge.yaml" "$@"; }

authority_create() {
	"$bin/kedge" ca init --dir "$dir/ca" --domain quickstart.kedge >>"$dir/log/ca.log"
	"$bin/kedge" ca issue controller main --dir "$dir/ca" --address 127.0.0.1 --address localhost --out "$dir/controller/identity" >>"$dir/log/ca.log"
	"$bin/kedge" ca issue operator founder --dir "$dir/ca" --out "$dir/operator" >>"$dir/log/ca.log"
	ssh-keygen -q -t ed25519 -N '' -C founder -f "$dir/operator/approval"
}

controller_configure() {
	cat >"$dir/controller/controller.yaml" <<-YAML
		name: main
		domain: quickstart.kedge
		state_directory: $dir/controller/state
		agents: { listen: "127.0.0.1:$agents_port" }
		operators: { listen: "127.0.0.1:$operators_port" }
		identity:
		  certificate: $dir/controller/identity/cert.pem
		  key: $dir/controller/identity/key.pem
		  authority: $dir/ca/authority.pem
		issuing:            # signs what enrols and renews; the root key stays in $dir/ca
		  certificate: $dir/ca/issuing.pem
		  key: $dir/ca/issuing.key
		administrators: [ founder ]   # operators who may everything on an empty store
		heartbeat: 2s                 # a fleet would say 30s
		proof: 10s                    # how long a restore point must have run healthy to count as known good; a fleet would say 5m
		bake: 500ms                   # evidence of health a wave must show before the next
		incident: { prove: 500ms }
		knowledge: $here/packaging/knowledge   # what is known about faults
		administrator_keys: [ "$(cat "$dir/operator/approval.pub")" ]
		notify:
		  hold: 500ms                 # the first page of a service waits this long for its cause
		  site: quickstart
		  channels:
		    mail: { kind: smtp, url: "smtp://127.0.0.1:$smtp_port", from: kedge@quickstart.invalid, to: founder@quickstart.invalid }
		  levels:
		    - { name: on-call, persons: [ { name: founder, channel: mail, to: founder@quickstart.invalid } ] }
	YAML
	cat >"$dir/kedge.yaml" <<-YAML
		controller: "https://127.0.0.1:$operators_port"
		name: main
		domain: quickstart.kedge
		authority: $dir/ca/authority.pem
		certificate: $dir/operator/cert.pem
		key: $dir/operator/key.pem
		approval_key: $dir/operator/approval
	YAML
}

# The standing policy: at night configuration and code may be rolled back, and the site restarted, without a person.  Signed beforehand by the operator's key, which
# each host pins; the controller holds no such key.
policy_sign() {
	cat >"$dir/operator/policy.yaml" <<-YAML
		name: night
		services: [ portal ]
		components: [ config, code ]
		actions: [ restart ]
		least_severity: medium
		least_confidence: 0.5
		max_hosts: 1
		max_per_hour: 6
		cool_down: 1s
		expires: $(date -u -d '+30 days' +%Y-%m-%dT%H:%M:%SZ)
		reason: quickstart's drill
	YAML
	rm -f "$dir/operator/policy.yaml.sig"
	ssh-keygen -q -Y sign -f "$dir/operator/approval" -n kedge-policy "$dir/operator/policy.yaml" >/dev/null 2>&1
}

agent_configure() { # agent_configure HOST PORT
	mkdir -p "$dir/agents/$1"
	base=$dir/services/$1
	{
		cat <<-YAML
			host: $1
			domain: quickstart.kedge
			state_directory: $dir/agents/$1/state
			user: nobody
			controller: { url: "wss://127.0.0.1:$agents_port", name: main }
			approvers: [ "$(cat "$dir/operator/approval.pub")" ]
			drift_every: 2s
			services:
		YAML
		if [ "$1" = db-1 ]; then agent_service_db "$2"; else agent_service_web "$1" "$2"; fi
	} >"$dir/agents/$1/agent.yaml"
}

agent_service_web() {
	cat <<-YAML
		  portal:
		    components:
		      config: { paths: [ $base/conf ] }
		      code: { git: $base/site }
		      data: { paths: [ $base/uploads ] }
		    steps: { stop: [ $base/ctl, stop ], start: [ $base/ctl, start ], reload: [ $base/ctl, reload ], check: [ $base/ctl, check ] }
		    actions:                # what the controller may ask for by its name, under the same signatures as a rollback
		      restart: { remedies: [ restart, connections ], automatic: true, text: stops and starts nginx }
		      renew-certificate: { remedies: certificate, run: [ $base/ctl, renew, start ], text: makes a new certificate and has nginx read it }
		      free-space: { remedies: space, run: [ $base/ctl, free ], text: removes unfinished uploads and rotated logs }
		    probes:
		      - { name: page, every: 1s, timeout: 900ms, rise: 1, fall: 2, http: { url: "http://127.0.0.1:$2/", contains: portal-ready } }
		      - { name: healthz, every: 1s, timeout: 900ms, rise: 1, fall: 2, exec: [ $base/site/bin/healthz, $dir/services/db-1/run, "$pg_port", $base/spool ] }
		      - { name: process, every: 1s, timeout: 900ms, rise: 1, fall: 2, process: { pid_file: $base/run/nginx.pid } }
		      - { name: tls, every: 2s, timeout: 900ms, rise: 1, fall: 2, http: { url: "https://127.0.0.1:$tls_port/", authority: $base/tls/site.pem, contains: portal-ready } }
		      - { name: uploads, tier: deep, timeout: 2s, http: { url: "http://127.0.0.1:$2/uploads/upload-1.txt", contains: upload } }
		    logs: [ $base/logs/error.log ]
		    depends_on: [ records-db ]
		    snapshots: { every: 1h }
		    rollback: { automatic: [ config, code ], max_per_hour: 20 }
	YAML
}

agent_service_db() {
	cat <<-YAML
		  records-db:
		    components:
		      config: { paths: [ $base/conf ] }
		      database:
		        postgres:
		          data_directory: $base/data
		          bin_directory: $(pg_bin)
		          socket_directory: $base/run
		          port: $1
		          user: kedge
		          run_as: [ $(printf '%s' "$pg_as" | sed 's/ /, /g') ]
		    steps: { stop: [ $base/ctl, stop ], start: [ $base/ctl, start ], reload: [ $base/ctl, reload ], check: [ $base/ctl, check ] }
		    actions:
		      restart: { remedies: restart, text: stops and starts the cluster }
		      free-connections: { remedies: connections, run: [ $base/ctl, free-slots ], text: "ends the sessions that do nothing; if that is not enough, those that began first" }
		      free-space: { remedies: space, run: [ $base/ctl, free ], text: removes dumps and rotated logs }
		      set-modes: { remedies: permissions, run: [ $base/ctl, modes ], text: gives the cluster's files the owner and the modes that it insists on }
		    probes:
		      - { name: query, every: 1s, timeout: 900ms, rise: 1, fall: 2, exec: [ psql, -X, -A, -t, -h, $base/run, -p, "$1", -U, kedge, -d, portal, -c, "INSERT INTO pulse DEFAULT VALUES RETURNING 'writes'" ] }
		      - { name: spills, every: 2s, timeout: 900ms, rise: 1, fall: 2, exec: [ psql, -X, -A, -t, -h, $base/run, -p, "$1", -U, kedge, -d, portal, -c, "SET work_mem = '64kB'; SELECT count(*) FROM (SELECT md5(n::text) FROM generate_series(1, 5000) n ORDER BY 1) sorted" ] }
		      - { name: socket, every: 1s, timeout: 900ms, rise: 1, fall: 2, tcp: { address: "unix:$base/run/.s.PGSQL.$1" } }
		      - { name: process, every: 1s, timeout: 900ms, rise: 1, fall: 2, process: { pid_file: $base/data/postmaster.pid } }
		      - { name: files, tier: deep, timeout: 2s, exec: [ $base/ctl, check ] }
		    logs: [ $base/logs/postgres.log ]
		    snapshots: { every: 1h }
		    rollback: { automatic: [ config ], max_per_hour: 20 }
	YAML
}

# ---- processes: each has a file with its pid below $dir/run -------------------------------------------------------------

is_running() { [ -s "$dir/run/$1.pid" ] && kill -0 "$(cat "$dir/run/$1.pid")" 2>/dev/null; }

spawn() { # spawn NAME COMMAND…
	name=$1
	shift
	mkdir -p "$dir/run"
	setsid "$@" </dev/null >>"$dir/log/$name.log" 2>&1 &
	echo $! >"$dir/run/$name.pid"
}

end() { # end NAME: TERM, and KILL only if it does not listen
	[ -s "$dir/run/$1.pid" ] || return 0
	pid=$(cat "$dir/run/$1.pid")
	kill -TERM "$pid" 2>/dev/null
	for _ in $(seq 200); do kill -0 "$pid" 2>/dev/null || break; sleep 0.05; done
	kill -0 "$pid" 2>/dev/null && { warn "$1 did not stop in 10 s and was killed"; kill -KILL "$pid"; }
	rm -f "$dir/run/$1.pid"
}

stop_all() {
	for name in agent-web-1 agent-web-2 agent-db-1 controller mail; do end "$name"; done
	services_stop
	say "stopped"
}

free_port() { # free_port FROM: the first port from there that nobody listens on
	p=$1
	while ss -Hltn "sport = :$p" 2>/dev/null | grep -q .; do p=$((p + 1)); done
	echo "$p"
}

choose_ports() {
	agents_port=$(free_port 17443)
	operators_port=$(free_port 17543)
	web1_port=$(free_port 18081)
	web2_port=$(free_port $((web1_port + 1)))
	tls1_port=$(free_port 18443)
	tls2_port=$(free_port $((tls1_port + 1)))
	smtp_port=$(free_port 18025)
	pg_port=5432 # only the name of a socket below $dir
	printf 'agents_port=%s operators_port=%s web1_port=%s web2_port=%s tls1_port=%s tls2_port=%s smtp_port=%s pg_port=%s\n' "$agents_port" "$operators_port" "$web1_port" \
		"$web2_port" "$tls1_port" "$tls2_port" "$smtp_port" "$pg_port" >"$dir/ports"
}

wait_for() { # wait_for SECONDS WHAT COMMAND…: polls ten times a second
	limit=$(($1 * 10)) what=$2 tries=0
	shift 2
	until "$@"; do
		tries=$((tries + 1))
		[ $tries -le $limit ] || { warn "waited in vain for: $what"; return 1; }
		sleep 0.1
	done
}

mail_start() { # a real SMTP server on loopback that keeps every mail as a file
	cat >"$dir/mail/sink.py" <<-'PY'
		import asyncio, itertools, sys
		from aiosmtpd.controller import Controller
		count = itertools.count(1)
		class Keep:
		    async def handle_DATA(self, server, session, envelope):
		        with open("%s/%04d.eml" % (sys.argv[2], next(count)), "wb") as f:
		            f.write(envelope.original_content)
		        return "250 kept"
		controller = Controller(Keep(), hostname="127.0.0.1", port=int(sys.argv[1]))
		controller.start()
		asyncio.new_event_loop().run_forever()
	PY
	spawn mail /usr/bin/python3 "$dir/mail/sink.py" "$smtp_port" "$dir/mail"
	wait_for 10 "the mail sink" port_open "$smtp_port" || { stop_all; die "the mail sink did not start: see $dir/log/mail.log"; }
}

port_open() { ss -Hltn "sport = :$1" | grep -q .; }

controller_start() {
	controller_configure
	"$bin/kedge-controller" check --config "$dir/controller/controller.yaml" >/dev/null || { stop_all; die "controller.yaml is not in order"; }
	spawn controller "$bin/kedge-controller" run --config "$dir/controller/controller.yaml"
	printf '#!/bin/sh\nexec %s/kedge --config %s/kedge.yaml "$@"\n' "$bin" "$dir" >"$dir/kedge"
	chmod 755 "$dir/kedge"
	wait_for 15 "the controller" port_open "$operators_port" || { stop_all; die "the controller did not start: see $dir/log/controller.log"; }
}

agent_start() { # enrol with a one-time token, then run
	port=$pg_port tls_port=''
	case $1 in web-1) port=$web1_port tls_port=$tls1_port ;; web-2) port=$web2_port tls_port=$tls2_port ;; esac
	agent_configure "$1" "$port"
	token=$(kedge host enrol "$1") || { stop_all; die "no token for $1"; }
	"$bin/kedge-agent" join --config "$dir/agents/$1/agent.yaml" --token "$token" --authority "$dir/ca/authority.pem" \
		--controller "https://127.0.0.1:$operators_port" >>"$dir/log/agent-$1.log" 2>&1 || { tail -n 5 "$dir/log/agent-$1.log"; stop_all; die "$1 was not enrolled"; }
	spawn "agent-$1" "$bin/kedge-agent" run --config "$dir/agents/$1/agent.yaml"
}

# The API as anything that speaks HTTPS sees it: api PATH prints JSON.
api() {
	curl -sS --max-time 10 --cacert "$dir/ca/authority.pem" --cert "$dir/operator/cert.pem" --key "$dir/operator/key.pem" \
		"https://127.0.0.1:$operators_port/api/v1/$1"
}

count_of() { # count_of PATH EXPRESSION: how many items of a list the Python expression over `i` is true for
	api "$1" 2>/dev/null | python3 -c "import json,sys
print(sum(1 for i in json.load(sys.stdin).get('items', []) if $2))" 2>/dev/null
}

all_healthy() { [ "$(count_of health "i['state'] == 'HEALTHY'")" = 3 ]; }

all_snapshotted() { [ "$(count_of snapshot "i.get('healthy_when_taken') and not i.get('suspect')")" -ge 3 ] 2>/dev/null; }
