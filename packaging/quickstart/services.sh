# packaging/quickstart/services.sh: the real services that the quickstart guards, sourced by quickstart.sh.
#
# Two nginx instances that serve a site kept in git, and one PostgreSQL cluster that the site's health check queries.  Everything lives
# below $dir/services; each service has a small control program `ctl start|stop|reload|check` that its agent.yaml declares as steps.
# PostgreSQL refuses to run as root and its usual user may not reach $dir, so it runs in a user namespace in which root goes by
# postgres' number: no user, folder mode or file outside $dir is changed.  Where the kernel allows no such namespace (a chroot, some
# containers) it becomes the user postgres, who must then be able to reach $dir.

pg_bin() { for b in /usr/lib/postgresql/*/bin; do [ -x "$b/postgres" ] && printf '%s\n' "$b"; done | sort -V | tail -n 1; }

# ---- the site: a bare repository that people push to, and a work tree on each web host -------------------------------

git_quiet() { git -c user.name=quickstart -c user.email=quickstart@localhost -c init.defaultBranch=main -c commit.gpgsign=false "$@" >>"$dir/log/git.log" 2>&1; }

site_write() { # site_write FOLDER: the good version
	mkdir -p "$1/public" "$1/bin"
	cat >"$1/public/index.html" <<-'HTML'
		<!doctype html>
		<html lang="en"><head><meta charset="utf-8"><title>Records portal</title><link rel="stylesheet" href="/style.css"></head>
		<body><h1>Records portal</h1><p id="state">portal-ready</p></body></html>
	HTML
	printf 'body { font-family: sans-serif; margin: 4rem; }\n' >"$1/public/style.css"
	cat >"$1/bin/healthz" <<-'SH'
		#!/bin/sh
		# healthz SOCKET_FOLDER PORT SPOOL: is the site able to serve its records?  A Nagios plugin: one line, exit 0 or 2.
		began=$(date +%s%N)
		written=$(dd if=/dev/zero of="$3/healthz.$$" bs=64k count=1 status=none 2>&1 && rm -f "$3/healthz.$$") || {
			rm -f "$3/healthz.$$"
			printf 'CRITICAL - the spool cannot be written: %s\n' "$(printf '%s' "$written" | tail -n 1)"
			exit 2
		}
		rows=$(psql -X -A -t -h "$1" -p "$2" -U kedge -d portal -c 'SELECT count(record_id) FROM records' 2>&1) || {
			printf 'CRITICAL - records cannot be read: %s\n' "$(printf '%s' "$rows" | head -n 1)"
			exit 2
		}
		[ "$rows" -gt 0 ] || {
			printf 'CRITICAL - the table of records is empty\n'
			exit 2
		}
		printf 'OK - %s records | rows=%s time=%sms\n' "$rows" "$rows" "$((($(date +%s%N) - began) / 1000000))"
	SH
	chmod 755 "$1/bin/healthz"
}

site_create() {
	git_quiet init --bare "$dir/services/site.git"
	git_quiet init "$dir/services/desk"
	site_write "$dir/services/desk"
	git_quiet -C "$dir/services/desk" add -A
	git_quiet -C "$dir/services/desk" commit -m 'portal: first version'
	git_quiet -C "$dir/services/desk" remote add origin "$dir/services/site.git"
	git_quiet -C "$dir/services/desk" push origin HEAD:main
}

site_deploy() { # site_deploy HOST: what a deployment does there
	git_quiet -C "$dir/services/$1/site" pull --ff-only origin main
}

# ---- nginx -------------------------------------------------------------------------------------------------------------

web_create() { # web_create HOST PORT TLS_PORT
	base=$dir/services/$1
	mkdir -p "$base/conf/conf.d" "$base/uploads" "$base/logs" "$base/run" "$base/spool" "$base/tls"
	git_quiet clone --no-hardlinks -b main "$dir/services/site.git" "$base/site"
	cat >"$base/conf/nginx.conf" <<-CONF
		# Workers keep the user that starts them: \$dir may lie where another user cannot read.
		user root;
		worker_processes 1;
		pid $base/run/nginx.pid;
		error_log $base/logs/error.log warn;
		events { worker_connections 128; }
		http {
			types { text/html html; text/css css; text/plain txt; }
			access_log $base/logs/access.log;
			client_body_temp_path $base/run/body;
			proxy_temp_path $base/run/proxy;
			fastcgi_temp_path $base/run/fastcgi;
			uwsgi_temp_path $base/run/uwsgi;
			scgi_temp_path $base/run/scgi;
			include $base/conf/conf.d/*.conf;
		}
	CONF
	cat >"$base/conf/conf.d/site.conf" <<-CONF
		server {
			listen 127.0.0.1:$2;
			listen 127.0.0.1:$3 ssl;
			ssl_certificate $base/tls/site.pem;
			ssl_certificate_key $base/tls/site.key;
			root $base/site/public;
			location /uploads/ { alias $base/uploads/; }
		}
	CONF
	for n in 1 2 3; do printf 'upload %s of %s\n' "$n" "$1" >"$base/uploads/upload-$n.txt"; done
	web_ctl "$1" >"$base/ctl"
	chmod 755 "$base/ctl"
	"$base/ctl" renew || die "no certificate for $1: see $base/logs"
}

web_ctl() { # the control program of one nginx
	cat <<-CTL
		#!/bin/sh
		# ctl start|stop|reload|check, and what its agent.yaml declares as actions: renew (the certificate), free (space): the nginx of $1
		base=$dir/services/$1
		nginx() { $(command -v nginx) -p "\$base/run" -e "\$base/logs/error.log" -c "\$base/conf/nginx.conf" "\$@"; }
		# The file of its number may be lost; it is known by its command line, too.
		master() {
			[ -s "\$base/run/nginx.pid" ] && kill -0 "\$(cat "\$base/run/nginx.pid")" 2>/dev/null && cat "\$base/run/nginx.pid" && return
			pgrep -o -f "^nginx: master process .*-c \$base/conf/nginx.conf"
		}
		running() { master >/dev/null; }
		# Workers whose master was killed keep its ports; they are known by the logs that they write.
		orphans() { for pid in \$(pgrep -f '^nginx: worker process'); do ls -l "/proc/\$pid/fd" 2>/dev/null | grep -q " \$base/logs/" && echo "\$pid"; done; }
		case \$1 in
		start)
			mkdir -p "\$base/run" "\$base/logs" "\$base/spool"
			running || nginx ;;
		reload) nginx -t -q && if running; then kill -HUP "\$(master)"; else nginx; fi ;;
		check) nginx -t -q ;;
		stop)
			if ! pid=\$(master); then
				pid=\$(orphans)
				[ -z "\$pid" ] || kill -KILL \$pid
				exit 0
			fi
			workers=\$(pgrep -P "\$pid")
			kill -TERM "\$pid"
			kill -CONT "\$pid" \$workers 2>/dev/null # what stands still hears nothing
			for _ in \$(seq 250); do kill -0 "\$pid" 2>/dev/null || exit 0; sleep 0.02; done
			kill -KILL "\$pid" \$workers 2>/dev/null
			for _ in \$(seq 250); do kill -0 "\$pid" 2>/dev/null || exit 0; sleep 0.02; done
			echo "nginx \$pid did not stop within 10 s" >&2
			exit 1 ;;
		renew)
			mkdir -p "\$base/tls"
			openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 90 -subj /CN=portal -addext subjectAltName=IP:127.0.0.1 \\
				-keyout "\$base/tls/site.key.new" -out "\$base/tls/site.pem.new" 2>>"\$base/logs/openssl.log" || exit 1
			mv "\$base/tls/site.key.new" "\$base/tls/site.key" && mv "\$base/tls/site.pem.new" "\$base/tls/site.pem" || exit 1
			if running; then kill -HUP "\$(master)"; elif [ -n "\$2" ]; then nginx; fi ;;
		free) rm -f "\$base"/spool/*.part "\$base"/logs/*.log.[0-9]* ;;
		*) echo "usage: ctl start|stop|reload|check|renew|free" >&2; exit 2 ;;
		esac
	CTL
}

# ---- PostgreSQL --------------------------------------------------------------------------------------------------------

db_create() { # db_create HOST PORT
	base=$dir/services/$1
	mkdir -p "$base/run" "$base/logs" "$base/conf" "$base/dumps"
	case $pg_as in setpriv*) chown -R postgres: "$base" ;; esac
	[ "$(printf '%s/run/.s.PGSQL.%s' "$base" "$2" | wc -c)" -le 107 ] ||
		die "the path $base is too long for a PostgreSQL socket (107 bytes): choose a shorter --dir"
	as_postgres "$(pg_bin)/initdb" -D "$base/data" -U kedge -A trust --no-sync -E UTF8 --locale=C >>"$base/logs/initdb.log" 2>&1 ||
		die "initdb failed: see $base/logs/initdb.log"
	echo "include '$base/conf/records.conf'" >>"$base/data/postgresql.conf"
	printf 'local all all trust\n' >"$base/conf/pg_hba.conf"
	cat >"$base/conf/records.conf" <<-CONF
		listen_addresses = ''
		hba_file = '$base/conf/pg_hba.conf'
		unix_socket_directories = '$base/run'
		unix_socket_permissions = 0700
		port = $2
		shared_buffers = 16MB
		max_connections = 20
		logging_collector = off
	CONF
	case $pg_as in setpriv*) chown -R postgres: "$base" ;; esac
	db_ctl "$1" >"$base/ctl"
	chmod 755 "$base/ctl"
	"$base/ctl" start || die "PostgreSQL did not start: see $base/logs/postgres.log"
	psql -X -q -h "$base/run" -p "$2" -U kedge -d postgres -c 'CREATE DATABASE portal' || die "PostgreSQL refused CREATE DATABASE"
	psql -X -q -h "$base/run" -p "$2" -U kedge -d portal <<-'SQL' || die "PostgreSQL refused the schema"
		CREATE TABLE records (record_id serial PRIMARY KEY, kind text NOT NULL, created timestamptz NOT NULL DEFAULT now());
		INSERT INTO records (kind) SELECT 'note' FROM generate_series(1, 1000);
		CREATE TABLE pulse (at timestamptz NOT NULL DEFAULT now());
	SQL
}

postgres_choose() { # sets pg_as: the words before every program of PostgreSQL
	number=$(id -u postgres) || die "there is no user postgres: is the package postgresql-15 installed?"
	pg_as="unshare --user --map-user=$number --"
	# shellcheck disable=SC2086 # the words are to be split, here and below
	$pg_as true 2>/dev/null && return
	pg_as="setpriv --reuid=$number --regid=$(id -g postgres) --clear-groups --"
	# shellcheck disable=SC2086
	$pg_as test -x "$dir" || die "user postgres cannot reach $dir, and this kernel allows no user namespace here: choose another --dir, such as /srv/kedge"
}

as_postgres() {
	# shellcheck disable=SC2086
	$pg_as "$@"
}

db_ctl() {
	cat <<-CTL
		#!/bin/sh
		# ctl start|stop|reload|check, and what its agent.yaml declares as actions: free-slots (of sessions), free (space), modes: the PostgreSQL cluster of $1
		base=$dir/services/$1
		processes() { pid=\$(head -n 1 "\$base/data/postmaster.pid" 2>/dev/null) && [ -n "\$pid" ] && kill -0 "\$pid" 2>/dev/null && echo "\$pid" && pgrep -P "\$pid"; }
		pg() { command=\$1; shift; $pg_as $(pg_bin)/\$command "\$@"; }
		case \$1 in
		start) pg pg_ctl -D "\$base/data" -s status >/dev/null 2>&1 || pg pg_ctl -D "\$base/data" -s -w -t 60 -l "\$base/logs/postgres.log" start ;;
		stop)
			pg pg_ctl -D "\$base/data" status >/dev/null 2>&1 || exit 0
			kill -CONT \$(processes) 2>/dev/null # what stands still hears nothing
			pg pg_ctl -D "\$base/data" -s -w -t 20 -m fast stop || pg pg_ctl -D "\$base/data" -s -w -t 20 -m immediate stop ;;
		free-slots) # without a session of its own: there may be none left
			sessions() { for pid in \$(processes); do case \$(tr '\\0' ' ' <"/proc/\$pid/cmdline") in *"[local]"\$1*) echo "\$pid" ;; esac; done; }
			# It answers, and less than three quarters are used: else the next client finds none.
			room="current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int"
			answers() {
				[ "\$(timeout 2 psql -X -q -A -t -h "\$base/run" -p $pg_port -U kedge -d portal \\
					-c "SELECT 4 * count(*) < 3 * (\$room) FROM pg_stat_activity WHERE backend_type = 'client backend'" 2>/dev/null)" = t ]
			}
			# Whoever has not said yet what it wants has no name: its process still goes by the server's own command line.
			for pid in \$(pgrep -P "\$(head -n 1 "\$base/data/postmaster.pid")" -f "/postgres -D "); do kill -TERM "\$pid"; done
			for pid in \$(sessions " idle"); do kill -TERM "\$pid"; done
			sleep 0.2
			for pid in \$(sessions); do # those that began first have had the most time
				! answers || exit 0
				kill -TERM "\$pid"
				sleep 0.1
			done
			answers ;;
		free) rm -f "\$base"/dumps/* "\$base"/logs/*.log.[0-9]*; "\$0" start ;;
		modes) chown -R --reference="\$base/run" "\$base/data" "\$base/conf" && chmod -R u+rwX,go-rwx "\$base/data" && chmod -R u+rwX "\$base/conf" && "\$0" start ;;
		reload) pg pg_ctl -D "\$base/data" -s reload ;;
		check) pg postgres -D "\$base/data" -C data_directory >/dev/null ;;
		*) echo "usage: ctl start|stop|reload|check|free-slots|free|modes" >&2; exit 2 ;;
		esac
	CTL
}

# ---- all of them -------------------------------------------------------------------------------------------------------

services_create() {
	mkdir -p "$dir/services"
	postgres_choose
	site_create
	db_create db-1 "$pg_port"
	web_create web-1 "$web1_port" "$tls1_port"
	web_create web-2 "$web2_port" "$tls2_port"
}

services_start() {
	for h in db-1 web-1 web-2; do
		"$dir/services/$h/ctl" start || die "$h did not start: see $dir/services/$h/logs"
	done
}

services_stop() {
	for h in web-1 web-2 db-1; do
		[ ! -x "$dir/services/$h/ctl" ] || "$dir/services/$h/ctl" stop || warn "$h did not stop"
	done
}

# ---- breaking them, as bad days do ---------------------------------------------------------------------------------------

break_config() { # somebody edits by hand, misses a semicolon, and restarts
	base=$dir/services/$1
	sed -i 's|root \(.*\);|root \1|' "$base/conf/conf.d/site.conf"
	"$base/ctl" stop
	"$base/ctl" start >/dev/null 2>&1 || :
}

break_code() { # a commit that passes review and breaks the page and its health check
	desk=$dir/services/desk
	sed -i 's|portal-ready|{{ portal.state }}|' "$desk/public/index.html"
	sed -i 's|count(record_id)|count(record_uuid)|' "$desk/bin/healthz"
	git_quiet -C "$desk" commit -a -m 'portal: count records by uuid'
	git_quiet -C "$desk" push origin HEAD:main
	site_deploy "$1"
}

break_data() { # a clean-up job with a wrong path
	rm -f "$dir/services/$1/uploads/"*
}

break_database() { # a migration run by hand against the wrong database
	psql -X -q -h "$dir/services/db-1/run" -p "$pg_port" -U kedge -d portal -c 'ALTER TABLE records RENAME COLUMN record_id TO id'
}

# After a code rollback the branch still holds the broken commit: the desk reverts it, as a team would.
repair_desk() {
	desk=$dir/services/desk
	site_write "$desk"
	git_quiet -C "$desk" commit -a -m 'portal: back to counting by record_id' || :
	git_quiet -C "$desk" push origin HEAD:main
}
