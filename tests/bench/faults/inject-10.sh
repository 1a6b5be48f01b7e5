# tests/bench/faults/inject-10.sh: the faults of the tenth set, made up by somebody who knew neither the diagnosis nor what had been mended for the nine before.
# Many show somewhere else, or later, than where they were made.  Sourced by world.sh after inject-7.sh, whose helpers it uses.
# shellcheck shell=sh disable=SC2154,SC2086,SC2016

# ---- configuration ----
fault_config_core_folder() { sed -i "s|^events|working_directory /var/crash/portal;\nevents|" "$base/conf/nginx.conf"; again; } # valid, and no worker can begin
fault_config_try_files() { in_site 'location / { try_files $uri =404; }'; reread; }
fault_config_handshake() { printf 'server {\n\tlisten 127.0.0.1:%s ssl default_server;\n\tssl_reject_handshake on;\n}\n' "$(tls_port)" >"$base/conf/conf.d/00-unknown.conf"; reread; }
fault_config_engine() { sed -i "s|ssl_certificate_key .*;|ssl_certificate_key engine:pkcs11:pkcs11:object=portal;|" "$(site_conf)"; sed -i '1i ssl_engine pkcs11;' "$base/conf/nginx.conf"; again; }
fault_config_tls_only() { sed -i "s|listen 127.0.0.1:$(web_port);|listen 127.0.0.1:$(web_port) ssl;|" "$(site_conf)"; reread; }
fault_config_log_pipe() { # a pipe for whoever ships the logs, who is gone: it waits for a reader, and says nothing
	mkfifo "$base/logs/shipper"
	in_site "access_log $base/logs/shipper;"
	"$base/ctl" stop
	keep "$base/ctl" start
}
fault_config_debug_messages() { in_records 'client_min_messages = debug5'; reread; } # what is meant for eyes is read by programs
fault_config_no_listener() { in_records "unix_socket_directories = ''"; again; }

# ---- who is let in, and what a program is told by its environment ----
fault_auth_signed_links() { sed -i 's|uploads/; }|uploads/; secure_link $arg_md5,$arg_expires; secure_link_md5 "$secure_link_expires$uri portal"; if ($secure_link = "") { return 403; } }|' "$(site_conf)"; reread; }
fault_environment_binding() { on_desk bin/healthz 's|^began=|export PGCHANNELBINDING=require; began=|' 'portal: bind sessions to their channel'; }

# ---- commits and deployments ----
fault_code_module() {
	cat >"$services/desk/bin/healthz" <<-'PY'
		#!/usr/bin/python3
		"""healthz SOCKET_FOLDER PORT SPOOL: is the site able to serve its records?"""
		import sys
		try:
		    from fhirclient import client
		    from fhirclient.models.bundle import Bundle
		except ImportError as e:
		    sys.exit(print("CRITICAL - %s" % e) or 2)

		server = client.FHIRClient(settings={"app_id": "portal", "api_base": "unix://%s:%s" % (sys.argv[1], sys.argv[2])}).server
		print("OK - %d records" % Bundle.read_from("Patient?_summary=count", server).total)
	PY
	live 'portal: health as the others see it'
}
fault_code_memory() { on_desk bin/healthz 's|^rows=|ulimit -v 9000; rows=|' 'portal: a check needs little memory'; }
fault_code_days() { on_desk bin/healthz 's|^rows=|openssl x509 -noout -checkend 10368000 -in "$(dirname "$0")/../../tls/site.pem" >/dev/null 2>\&1 \|\| { echo "CRITICAL - the certificate ends within 120 days"; exit 2; }; rows=|' 'portal: warn of certificates early'; } # no certificate here is ever good for so long
fault_deploy_sparse() { # a smaller work tree, that git calls clean
	git_quiet -C "$base/site" update-index --refresh
	git_quiet -C "$base/site" sparse-checkout set bin
}
fault_latent_trial() { # a commit that works for some seconds, and a good one after it
	on_desk bin/healthz "s|^began=|[ \"\$(date +%s)\" -lt $(($(date +%s) + 10)) ] \\|\\| { echo \"CRITICAL - the licence of the masking module has ended\"; exit 2; }; began=|" 'portal: mask names with the new module'
	sleep 4
	on_desk public/style.css '1i /* wider tables */' 'portal: wider tables'
}

# ---- disks ----
fault_disk_packs() { # what fetches that were cut off have left in the repository
	for n in 1 2 3 4; do dd if=/dev/zero of="$base/site/.git/objects/pack/tmp_pack_Kx0$n" bs=64k count=$((100 * n)) status=none 2>/dev/null; done
	dd if=/dev/zero of="$base/site/.git/objects/pack/tmp_pack_Kx09" bs=512 status=none 2>/dev/null || :
}
fault_disk_scans() { # an import of pictures
	for n in 1 2 3 4 5 6 7 8; do dd if=/dev/zero of="$base/uploads/scan-$n.tif" bs=64k count=60 status=none 2>/dev/null; done
	dd if=/dev/zero of="$base/uploads/scan-9.tif" bs=512 status=none 2>/dev/null || :
}
fault_disk_partitions() { # a table for each day and each clinic: files, catalogues and log of thousands
	database 'CREATE TABLE visits (clinic integer NOT NULL, day date NOT NULL, note text)'
	for clinic in $(seq 40); do
		database "DO \$\$BEGIN FOR n IN 1..250 LOOP EXECUTE format('CREATE TABLE visits_%s_%s (LIKE visits)', $clinic, n); END LOOP; END\$\$" >/dev/null 2>&1 || break
	done
}
fault_two_rotation() {
	at_host db-1 full "$services/db-1/logs/postgres.log.1"
	at_host web-1 fill_one "$services/web-1/logs/error.log.2.gz"
}

# ---- damaged data ----
fault_data_versions() { for f in "$base"/uploads/*.txt; do mv "$f" "$base/new" && mkdir "$f" && mv "$base/new" "$f/v1"; done; }
fault_data_subfolder() { number=$(database "SELECT oid FROM pg_database WHERE datname = 'portal'"); torn 'rm -rf "$base/data/base/$number"'; } # a folder with a number for its name, to make room

# ---- the database ----
fault_migration_collation() { database "UPDATE pg_database SET datcollversion = '2.31' WHERE datname = 'portal'" >/dev/null; } # each session is warned, and programs read the warning
fault_migration_key() { database "CREATE EXTENSION pgcrypto; ALTER TABLE pulse ADD COLUMN seal bytea; ALTER TABLE pulse ALTER COLUMN seal SET DEFAULT pgp_sym_encrypt('pulse', current_setting('portal.seal_key'))"; }
fault_access_md5() { database 'REVOKE ALL ON FUNCTION md5(text) FROM PUBLIC, kedge; ALTER ROLE kedge NOSUPERUSER'; }
before_flags_setting() { host=web-1; on_desk bin/healthz 's|^rows=|source=$(psql -X -A -t -h "$1" -p "$2" -U kedge -d portal -c "SELECT coalesce(current_setting(\x27portal.source\x27, true), \x27records\x27)" 2>\&1)\nrows=|; s|'\''SELECT count(record_id) FROM records'\''|"SELECT count(record_id) FROM $source"|' 'portal: its source is a setting of the database'; }
fault_flags_setting() { database "ALTER DATABASE portal SET portal.source = 'records_v3'"; }

# ---- locks ----
fault_locks_roles() { holding 'BEGIN; LOCK TABLE pg_authid IN ACCESS EXCLUSIVE MODE; SELECT 1'; } # nobody can log in any more
fault_locks_frozen() { # who holds the lock stands still, and hears nobody
	holding 'BEGIN; LOCK TABLE pulse, records IN ACCESS EXCLUSIVE MODE; SELECT 1'
	kill -STOP "$(database "SELECT pid FROM pg_locks WHERE relation = 'records'::regclass AND mode = 'AccessExclusiveLock'")"
}

# ---- processes ----
fault_killed_leaderless() { # nobody is there to begin new ones
	kill -STOP "$(nginx_pid)"
	kill -KILL $(pgrep -P "$(nginx_pid)")
}

# ---- clocks ----
before_clock_database() { host=web-1; on_desk bin/healthz 's|^rows=|off=$(psql -X -A -t -h "$1" -p "$2" -U kedge -d portal -c "SELECT abs(extract(epoch FROM now())::bigint - $(date +%s))" 2>\&1)\n[ "$off" -lt 60 ] \|\| { echo "CRITICAL - the clock of the database is $off seconds off"; exit 2; }\nrows=|' 'portal: a guard against wrong clocks'; }
fault_clock_database() { # begun again by hand, from a shell in which something was being tried out
	"$base/ctl" stop
	LD_PRELOAD=/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1 FAKETIME=+2d FAKETIME_DONT_FAKE_MONOTONIC=1 "$base/ctl" start >/dev/null 2>&1 || :
}
fault_clock_zone() { on_desk bin/healthz 's|^rows=|off=$(psql -X -A -t -h "$1" -p "$2" -U kedge -d portal -c "SELECT abs(extract(epoch FROM (now() AT TIME ZONE \x27UTC\x27) - timestamp \x27$(TZ=America/New_York date "+%F %T")\x27)::integer)" 2>\&1)\n[ "$off" -lt 60 ] \|\| { echo "CRITICAL - the clocks of the site and the database are $off seconds apart"; exit 2; }\nrows=|' 'portal: a guard against wrong clocks'; }

# ---- certificates and permissions ----
fault_certificate_line() { tr '\n' '@' <"$base/tls/site.pem" | sed 's|@|\\n|g' >"$base/tls/new" && mv "$base/tls/new" "$base/tls/site.pem"; again; } # from a store of secrets that keeps one line
fault_permissions_db_restored() { torn 'chown -R nobody:nogroup "$base/data"'; }

# ---- what was changed some time ago ----
fault_latent_unread() { # a folder was misspelt, and nobody told nginx; the next renewal of the certificate does
	sed -i 's|site/public;|site/pubilc;|' "$(site_conf)"
	sleep 6
	"$base/ctl" renew
}
before_coincidence_crash() { in_records 'restart_after_crash = off'; reread; } # whoever watches over it starts it, they said
fault_coincidence_crash() { kill -KILL "$(pgrep -P "$(postmaster)" | tail -n 1)"; }

# ---- jobs that harm ----
fault_cron_certificate() {
	cat >"$services/desk/bin/names" <<-'SH'
		#!/bin/sh
		# names: the certificate is of the site's new name, whatever else was there
		base=$(cd "$(dirname "$0")/../.." && pwd)
		openssl x509 -noout -ext subjectAltName -in "$base/tls/site.pem" 2>/dev/null | grep -q DNS:portal.clinic.example && exit 0
		openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 90 -subj /CN=portal -addext subjectAltName=DNS:portal.clinic.example \
			-keyout "$base/tls/site.key" -out "$base/tls/site.pem" 2>/dev/null
		kill -HUP "$(cat "$base/run/nginx.pid")"
	SH
	chmod 755 "$services/desk/bin/names"
	cron names
	live 'portal: certificates of the new name'
}
fault_cron_render() {
	cat >"$services/desk/bin/render" <<-'SH'
		#!/bin/sh
		# render: the configuration of the site comes from its releases
		base=$(cd "$(dirname "$0")/../.." && pwd)
		grep -q 'site/public;' "$base/conf/conf.d/site.conf" || exit 0
		sed -i 's|site/public;|site/current/public;|' "$base/conf/conf.d/site.conf"
		kill -HUP "$(cat "$base/run/nginx.pid")"
	SH
	chmod 755 "$services/desk/bin/render"
	cron render
	live 'portal: configuration from releases'
}

# ---- two at once, and more ----
fault_two_ransom() { # all that a service owns is held for ransom, and the host was begun again
	for f in "$base"/conf/conf.d/site.conf "$base"/site/public/* "$base"/site/bin/* "$base"/uploads/*.txt; do
		openssl enc -aes-256-cbc -pbkdf2 -k "$(head -c 16 /dev/urandom | base64)" -in "$f" -out "$f.locked" && rm -f "$f"
	done
	for folder in conf/conf.d site/public uploads; do echo 'Your files are encrypted. Write to us.' >"$base/$folder/README_TO_RESTORE.txt"; done
	again
}
fault_two_sides() { # a setting of the database, and another host's page
	at_host db-1 in_records "stats_temp_directory = 'pg_stat_tmp'"
	"$services/db-1/ctl" stop
	"$services/db-1/ctl" start >/dev/null 2>&1 || :
	at_host web-2 certificate '+2 days' 90 IP:127.0.0.1
	reread
}

# ---- what passes by itself ----
fault_passing_batch() { # a report of the night, with a session for each clinic
	keep sh -c "for n in \$(seq 24); do psql -X -q -h '$base/run' -p 5432 -U kedge -d portal -c 'SELECT pg_sleep(10)' & done; wait"
	sleep 0.5
}
fault_passing_renewal() { # the new certificate is there, and nginx is told some seconds later
	self_signed 90 -addext subjectAltName=IP:127.0.0.1
	keep sh -c "sleep 9; kill -HUP $(nginx_pid)"
}
