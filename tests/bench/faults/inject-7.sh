# tests/bench/faults/inject-7.sh: the faults of the seventh set, made up by somebody who knew neither the diagnosis nor what had been mended since the
# sixth, each shown beforehand to break what visitors see and to be mended by hand (see verify.py), and scored once.  Sourced by world.sh after helpers.sh.
# shellcheck shell=sh disable=SC2154,SC2086,SC2016

at_host() { # at_host HOST COMMAND…: what follows happens on another host, too
	host=$1 base=$services/$1
	shift
	"$@"
}
balancer() { keep sh -c "while :; do timeout 2 '$base/site/bin/healthz' '$services/db-1/run' '$pg_port' '$base/spool' >/dev/null 2>&1; sleep 1; done"; } # asks as ours does
cron() { keep sh -c "while sleep 1; do [ ! -x '$base/site/bin/$1' ] || '$base/site/bin/$1' >/dev/null 2>&1; done"; }                                         # cron NAME: a job of the site's, each second

# ---- configuration that is valid, and wrong ----
fault_config_http2() { sed -i "s|listen 127.0.0.1:$(web_port);|listen 127.0.0.1:$(web_port) http2;|" "$(site_conf)"; again; }
fault_config_no_workers() { sed -i 's|worker_processes 1|worker_processes 0|' "$base/conf/nginx.conf"; again; }
fault_config_alias_slash() { in_site "location / { alias $base/site/public; }"; reread; }
fault_config_itself() { in_site "location = / { proxy_pass http://127.0.0.1:$(web_port); }"; reread; }
fault_config_robots() { sed -i '1i map $http_user_agent $robot { default 1; ~Mozilla 0; }' "$(site_conf)"; in_site 'if ($robot) { return 403; }'; reread; }
fault_config_filter() { in_site "sub_filter_once off; sub_filter portal- clinic-;"; reread; }
fault_config_session_library() { in_records "session_preload_libraries = 'pgaudit'"; reread; }
fault_config_regex() { sed -i '1i pcre_jit on;' "$base/conf/nginx.conf"; in_site 'set $shape "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!"; if ($shape ~ "^(a+)+$") { return 403; }'; again; }

# ---- switches ----
before_flags_table() { on_desk bin/healthz 's|^began=|table=records; grep -qs new_counting=on "$(dirname "$0")/../../conf/portal.flags" \&\& table=records_v2; began=|; s|'\''SELECT count(record_id) FROM records'\''|"SELECT count(record_id) FROM $table"|' 'portal: a switch for the new table'; }
fault_flags_table() { printf 'new_counting=on\n' >"$base/conf/portal.flags"; }
fault_flags_canary() { sed -i '1i split_clients $request_id $canary { 80% on; * ""; }' "$(site_conf)"; in_site 'location = / { if ($canary) { proxy_pass http://127.0.0.1:9; } }'; reread; }
fault_flags_bomb() { on_desk bin/healthz "s|^began=|[ \"\$(date +%s)\" -lt $(($(date +%s) + 8)) ] \\|\\| { echo \"CRITICAL - the trial of the counting module has ended\"; exit 2; }; began=|" 'portal: count with the new module'; }

# ---- deployments ----
fault_deploy_umask() { umask 077; on_desk public/index.html 's|<h1>Records portal|<h1>The records portal|' 'portal: a clearer heading'; umask 022; }
fault_deploy_pointer() {
	printf 'version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize 311\n' "$(sha256sum "$services/desk/public/index.html" | cut -d ' ' -f 1)" >"$services/desk/public/new"
	mv "$services/desk/public/new" "$services/desk/public/index.html"
	live 'portal: pages are kept as large files'
}
fault_deploy_killed() { # it was killed between one file and the next
	printf '#!/bin/sh\nexec psql -X -A -t -h "$1" -p "$2" -U kedge -d portal -c "SELECT count(record_id) FROM records"\n' >"$services/desk/bin/count"
	chmod 755 "$services/desk/bin/count"
	sed -i 's|psql -X -A -t -h "$1" -p "$2" -U kedge -d portal -c .* 2>&1)|"$(dirname "$0")/count" "$1" "$2" 2>\&1)|' "$services/desk/bin/healthz"
	git_quiet -C "$services/desk" add -A
	git_quiet -C "$services/desk" commit -m 'portal: counting has a program of its own'
	git_quiet -C "$services/desk" push origin HEAD:main
	git_quiet -C "$base/site" fetch origin
	git -C "$base/site" show origin/main:bin/healthz >"$base/site/bin/new" && cat "$base/site/bin/new" >"$base/site/bin/healthz"
	rm "$base/site/bin/new"
	: >"$base/site/.git/index.lock"
}
fault_deploy_ignored() {
	printf '*.sql\n' >"$services/desk/.gitignore"
	printf 'SELECT count(record_id) FROM records\n' >"$services/desk/bin/count.sql"
	sed -i "s|-c 'SELECT count(record_id) FROM records'|-f \"\$(dirname \"\$0\")/count.sql\"|" "$services/desk/bin/healthz"
	live 'portal: statements in files'
}
fault_deploy_large() {
	head -c 13500000 /dev/urandom >"$services/desk/public/tour.mp4"
	live 'portal: a tour in moving pictures'
}

# ---- what grows until it hurts somebody else ----
fault_leak_sessions() {
	on_desk bin/healthz 's|^began=|for n in 1 2; do setsid psql -X -q -h "$1" -p "$2" -U kedge -d portal -c "SELECT pg_sleep(12)" </dev/null >/dev/null 2>\&1 \& done; began=|' 'portal: keep sessions warm'
	balancer
}
fault_leak_spool() {
	on_desk bin/healthz 's|^began=|dd if=/dev/zero of="$3/check-$(date +%s%N).part" bs=1M count=2 status=none 2>/dev/null; began=|' 'portal: check that large uploads can be taken'
	balancer
}

# ---- jobs that harm ----
fault_cron_pages() {
	printf '#!/bin/sh\n# nightly: what editors leave behind\nrm -f "$(dirname "$0")/../public/"*.htm* "$(dirname "$0")/../public/"*~\n' >"$services/desk/bin/nightly"
	chmod 755 "$services/desk/bin/nightly"
	cron nightly
	live 'portal: tidy up each night'
}
fault_cron_uploads() {
	printf '#!/bin/sh\n# archive: old uploads are packed\nfor f in "$(dirname "$0")/../../uploads/"*.txt; do [ ! -f "$f" ] || gzip -f "$f"; done\n' >"$services/desk/bin/archive"
	chmod 755 "$services/desk/bin/archive"
	cron archive
	live 'portal: pack old uploads'
}

# ---- what was changed some time ago, and bites at the next start ----
fault_latent_site() { in_site 'proxy_cache_lock_agee 5s;'; sleep 6; signal -KILL "$(nginx_pid)"; }
fault_latent_db() { in_records "shared_preload_libraries = 'timescaledb'"; sleep 6; signal -KILL "$(postmaster)"; }

# ---- processes ----
fault_killed_winch() { kill -WINCH "$(nginx_pid)"; } # a rotation of logs with the wrong signal: the workers go
fault_limits_web_size() { limit "$(nginx_pid)" --fsize=1:1; }

# ---- certificates ----
fault_certificate_unread() { self_signed 90 -addext subjectAltName=IP:127.0.0.1; } # renewed, and nobody told nginx
fault_certificate_curve() { self_signed 90 -pkeyopt ec_paramgen_curve:secp256k1 -addext subjectAltName=IP:127.0.0.1; again; }
fault_certificate_ciphers() { in_site 'ssl_protocols TLSv1.2; ssl_ciphers ECDHE-RSA-AES256-GCM-SHA384;'; reread; }

# ---- files and who may read them ----
fault_permissions_acl() { setfacl -R -m u:nobody:--- "$base/site/public"; }
fault_files_spool() { rm -rf "$base/spool"; }
fault_files_mounted() { mount -t tmpfs -o size=1m,mode=755 elsewhere "$base/uploads"; }
fault_data_utf16() { for f in "$base"/uploads/*.txt; do iconv -f UTF-8 -t UTF-16 "$f" >"$base/new" && cat "$base/new" >"$f"; done; rm "$base/new"; }

# ---- disks ----
fault_disk_slot() { # a replica that is gone, and the log is kept for it
	database "SELECT pg_create_physical_replication_slot('replica_2', true)" >/dev/null
	for _ in $(seq 20); do
		database "SELECT pg_logical_emit_message(false, 'batch', 'x')" >/dev/null 2>&1 || break
		database 'SELECT pg_switch_wal()' >/dev/null 2>&1
	done
}
fault_disk_sort() { # reports that sort, and whoever asked for them has left them standing
	for rows in 700000 350000 180000 90000 45000 20000 10000 5000 2500 1200 1200; do
		holding "BEGIN; SET LOCAL work_mem = '64kB'; DECLARE c CURSOR FOR SELECT repeat(md5(n::text), 5) FROM generate_series(1, $rows) n ORDER BY 1; FETCH 1 FROM c"
		sleep "$((rows / 200000)).5"
	done
}

# ---- connections and locks ----
fault_connections_role() { database 'ALTER ROLE kedge NOSUPERUSER CONNECTION LIMIT 0'; }
before_locks_prepared() { in_records 'max_prepared_transactions = 5'; again; }
fault_locks_prepared() { database "BEGIN; LOCK TABLE pulse IN ACCESS EXCLUSIVE MODE; PREPARE TRANSACTION 'order-4711'"; }

# ---- a database that is dead or damaged ----
fault_dead_backup_label() {
	torn 'printf "START WAL LOCATION: 0/9000028 (file 000000010000000000000009)\nCHECKPOINT LOCATION: 0/9000060\nBACKUP METHOD: streamed\nBACKUP FROM: primary\nSTART TIME: 2026-10-01 02:00:00 UTC\nLABEL: nightly\nSTART TIMELINE: 1\n" >"$base/data/backup_label"; chown --reference="$base/data" "$base/data/backup_label"'
}
fault_dead_tablespace() {
	mkdir "$base/fast" && chown --reference="$base/data" "$base/fast"
	database "CREATE TABLESPACE fast LOCATION '$base/fast'"
	database 'ALTER TABLE pulse SET TABLESPACE fast'
	torn 'rm -rf "$base/fast"'
}
fault_dead_wraparound() {
	postgres_choose
	torn 'as_postgres "$(pg_bin)/pg_resetwal" -f -x 2146483648 -D "$base/data" >/dev/null; dd if=/dev/zero of="$base/data/pg_xact/07FF" bs=8192 count=32 status=none; chown --reference="$base/data" "$base/data/pg_xact/07FF"; chmod 600 "$base/data/pg_xact/07FF"'
}
fault_data_catalog_index() {
	file=$(file_of pg_attribute_relid_attnum_index)
	torn 'dd if=/dev/urandom of="$base/data/$file" bs=8192 count=4 conv=notrunc status=none'
}
fault_upstream_foreign() {
	database "CREATE EXTENSION postgres_fdw; CREATE SERVER archive FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '9', dbname 'archive'); CREATE USER MAPPING FOR kedge SERVER archive OPTIONS (user 'kedge')"
	database 'ALTER TABLE records RENAME TO records_local; CREATE FOREIGN TABLE records (record_id integer, kind text, created timestamptz) SERVER archive'
}

# ---- who may do what ----
fault_access_rows() { database "ALTER TABLE records ENABLE ROW LEVEL SECURITY; ALTER TABLE records FORCE ROW LEVEL SECURITY; CREATE POLICY clinic ON records USING (kind = 'clinic-2'); ALTER ROLE kedge NOSUPERUSER NOBYPASSRLS"; }

# ---- migrations that went wrong ----
fault_migration_library() { database "CREATE FUNCTION stamp() RETURNS trigger LANGUAGE c AS '\$libdir/autoinc', 'autoinc'; CREATE TRIGGER stamp BEFORE INSERT ON pulse FOR EACH ROW EXECUTE FUNCTION stamp(); UPDATE pg_proc SET probin = '\$libdir/stamp-2.1' WHERE proname = 'stamp'"; }
before_clock_records() { host=web-1; on_desk bin/healthz 's|^rows=|early=$(psql -X -A -t -h "$1" -p "$2" -U kedge -d portal -c "SELECT count(*) FROM records WHERE created > now() + interval \x271 day\x27" 2>\&1)\n[ "$early" = 0 ] \|\| { echo "CRITICAL - records of days to come: $early"; exit 2; }\nrows=|' 'portal: a guard against wrong clocks'; }
fault_clock_records() { database "UPDATE records SET created = created + interval '1 year' WHERE record_id > 400"; }

# ---- what passes by itself ----
fault_passing_lock() { holding 'BEGIN; LOCK TABLE pulse, records IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(9); COMMIT'; }
fault_passing_frozen() {
	workers=$(pgrep -P "$(nginx_pid)" | tr '\n' ' ')
	keep sh -c "kill -STOP $workers; sleep 9; kill -CONT $workers"
}

# ---- two at once ----
fault_two_web() { in_site 'return 503;'; reread; fill "$base/spool/upload-4712.part"; }
fault_two_hosts() { at_host web-2 certificate '40 days ago' 30 IP:127.0.0.1; reread; at_host web-1 signal -KILL "$(cat "$services/web-1/run/nginx.pid")"; }
fault_two_deploy() {
	on_desk public/index.html 's|portal-ready|<!-- state -->|' 'portal: the state comes from a script'
	site_deploy web-2
}

# ---- a harmless change just before: it is not the cause, and must stay ----
before_coincidence_migration() { database 'CREATE TABLE notes (note_id serial PRIMARY KEY, record_id integer, note text)'; }
fault_coincidence_migration() { in_records 'listen_addresses = "*"'; again; }
before_coincidence_renewal() { "$base/ctl" renew; }
fault_coincidence_renewal() { on_host public/index.html 's|portal-ready|under construction|'; }
