# tests/bench/faults/helpers.sh: what the faults of all sets are made with.  Sourced by world.sh before them: $base is the folder of the host's service,
# $services of all.  What a fault has to keep running is started with `keep`, and ended by end_fault.
# shellcheck shell=sh disable=SC2154,SC2086,SC2016

keep() { # keep COMMAND…
	mkdir -p "$dir/run"
	setsid "$@" </dev/null >>"$dir/log/fault.log" 2>&1 &
	echo $! >>"$dir/run/fault.pids"
}
held() { keep /usr/bin/python3 "$here/tests/bench/faults/hold.py" "$@"; sleep 1; }
end_fault() {
	[ -s "$dir/run/fault.pids" ] || return 0
	while read -r pid; do kill -KILL "-$pid" 2>/dev/null || kill -KILL "$pid" 2>/dev/null; done <"$dir/run/fault.pids"
	rm -f "$dir/run/fault.pids"
}

# ---- the services ----
again() { "$base/ctl" stop >/dev/null 2>&1; "$base/ctl" start >/dev/null 2>&1 || :; } # somebody restarts it
reread() { "$base/ctl" reload >/dev/null 2>&1 || :; }
torn() { "$base/ctl" stop; eval "$1"; "$base/ctl" start >/dev/null 2>&1 || :; } # files of a database that stands still
nginx_pid() { cat "$base/run/nginx.pid"; }
postmaster() { head -n 1 "$services/db-1/data/postmaster.pid"; }
signal() { kill "$1" "$2" $(pgrep -P "$2"); } # signal -SIGNAL PID: and its children
web_port() { if [ "$host" = web-1 ]; then echo "$web1_port"; else echo "$web2_port"; fi; }
tls_port() { if [ "$host" = web-1 ]; then echo "$tls1_port"; else echo "$tls2_port"; fi; }

# ---- configuration ----
site_conf() { echo "$base/conf/conf.d/site.conf"; }
in_site() { sed -i "/root /i $1" "$(site_conf)"; } # a line of configuration for the site
in_records() { echo "$1" >>"$base/conf/records.conf"; }
behind() { # behind KIND FROM LINE: the first port after FROM is served by hold.py KIND, and LINE of the site names it as @
	port=$(free_port "$2")
	held "$1" "$port" ''
	in_site "$(printf '%s' "$3" | sed "s|@|http://127.0.0.1:$port|")"
	reread
}

# ---- code ----
on_desk() { # on_desk FILE SED MESSAGE: a commit that goes live on the host
	sed -i "$2" "$services/desk/$1"
	git_quiet -C "$services/desk" commit -a -m "$3"
	git_quiet -C "$services/desk" push origin HEAD:main
	site_deploy "$host"
}
live() { # live MESSAGE: what was done to the desk goes live on the host
	git_quiet -C "$services/desk" add -A
	git_quiet -C "$services/desk" commit -m "$1"
	git_quiet -C "$services/desk" push origin HEAD:main
	site_deploy "$host"
}
on_host() { # on_host FILE SED: a hand's edit of the site, without a commit
	sed -i "$2" "$base/site/$1"
}

# ---- sessions and locks ----
sessions() { held postgres "$base/run" "$@"; } # sessions STATEMENT…: two dozen that stay
holding() { keep /usr/bin/python3 "$here/tests/bench/faults/hold.py" lock "$base/run" "$1"; sleep 0.3; }
file_of() { database "SELECT pg_relation_filepath('$1')"; } # below the database's folder

# ---- limits ----
# Who owns a process may lower its limits; for others that is a privilege of its own, which containers lack.  Exit 9: not injected.
limit_one() { # limit_one PID LIMIT
	uid=$(awk '/^Uid:/ { print $2 }' "/proc/$1/status") gid=$(awk '/^Gid:/ { print $2 }' "/proc/$1/status")
	setpriv --reuid="$uid" --regid="$gid" --clear-groups prlimit --pid "$1" "$2"
}
limit() { for pid in $1 $(pgrep -P "$1"); do limit_one "$pid" "$2" || exit 9; done; }

# ---- certificates ----
self_signed() { # self_signed DAYS OPTION…: written where the site's is, unless an option says otherwise
	days=$1
	shift
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days "$days" -subj /CN=portal -keyout "$base/tls/site.key" -out "$base/tls/site.pem" "$@" 2>/dev/null
}
certificate() { # certificate WHEN DAYS NAME
	faketime "$1" openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days "$2" -subj /CN=portal -addext "subjectAltName=$3" \
		-keyout "$base/tls/site.key" -out "$base/tls/site.pem" 2>/dev/null
}

# ---- disks ----
fill() { dd if=/dev/zero of="$1" bs=64k status=none 2>/dev/null || :; dd if=/dev/zero of="$1.rest" bs=512 status=none 2>/dev/null || :; mv "$1.rest" "$1.1.part" 2>/dev/null || :; }
fill_one() { dd if=/dev/zero of="$1" bs=4k status=none 2>/dev/null || :; }
full() { # full FILE: and what it frees meanwhile
	for round in 1 2 3; do
		dd if=/dev/zero of="$1.$round" bs=8k status=none 2>/dev/null || :
		sleep 0.2
	done
}
