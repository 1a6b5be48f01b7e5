# tests/bench/faults/inject.sh: the faults of the first three sets, as bad days make them.  Sourced by world.sh after helpers.sh.
# shellcheck shell=sh disable=SC2154,SC2086,SC2016

# ---- bad configuration ----
fault_config_semicolon() { sed -i 's|root \(.*\);|root \1|' "$(site_conf)"; again; }
fault_config_root() { sed -i 's|site/public;|site/pubic;|' "$(site_conf)"; reread; }
fault_config_port() {
	port=$web1_port
	[ "$host" = web-2 ] && port=$web2_port
	sed -i "s|listen 127.0.0.1:$port;|listen 127.0.0.1:$((port + 2000));|" "$(site_conf)"
	again
}
fault_config_removed() { rm -f "$(site_conf)"; again; }
fault_config_503() { sed -i '/root /i return 503;' "$(site_conf)"; reread; }
fault_config_deny() { sed -i '/root /i deny all;' "$(site_conf)"; reread; }
fault_config_include() { sed -i '/root /i include /etc/portal/limits.conf;' "$(site_conf)"; again; }
fault_config_directive() { sed -i 's|worker_connections|worker_conections|' "$base/conf/nginx.conf"; again; }
# shellcheck disable=SC2016 # a variable of nginx
fault_config_redirect() { sed -i '/root /i return 301 https://portal.invalid$request_uri;' "$(site_conf)"; reread; }
fault_config_upstream() { sed -i '/location/i location = / { proxy_pass http://127.0.0.1:9; }' "$(site_conf)"; reread; }
fault_config_db_syntax() { echo 'max_connections = many' >>"$base/conf/records.conf"; again; }
fault_config_db_few() { sed -i 's|max_connections = 20|max_connections = 2|' "$base/conf/records.conf"; again; }
fault_config_db_socket() { sed -i "s|/run'|/sockets'|" "$base/conf/records.conf"; mkdir -p "$base/sockets"; again; }
fault_config_db_port() { sed -i 's|port = 5432|port = 5433|' "$base/conf/records.conf"; again; }
fault_config_db_hba() { echo 'local all all reject' >"$base/conf/pg_hba.conf"; reread; }
fault_config_db_memory() { sed -i 's|shared_buffers = 16MB|shared_buffers = 900GB|' "$base/conf/records.conf"; again; }

# ---- bad code ----
fault_code_column() { on_desk bin/healthz 's|count(record_id)|count(record_uuid)|' 'portal: count records by uuid'; }
fault_code_page() { on_desk public/index.html 's|portal-ready|{{ portal.state }}|' 'portal: a template for the page'; }
fault_code_table() { on_desk bin/healthz 's|FROM records|FROM record_items|' 'portal: items, not records'; }
fault_code_database() { on_desk bin/healthz 's|-d portal|-d portal_v2|' 'portal: the new database'; }
fault_code_syntax() { on_desk bin/healthz 's|^written=|if written=|' 'portal: write only if needed'; }
fault_code_slow() { on_desk bin/healthz 's|^began=|sleep 3; began=|' 'portal: wait for the cache'; }
fault_code_removed() { rm -f "$base/site/public/index.html"; }
fault_code_empty() { : >"$base/site/public/index.html"; }
fault_code_moved() { mv "$base/site/public" "$base/site/htdocs"; }

# ---- processes that are gone ----
fault_killed_kill() { signal -KILL "$(nginx_pid)"; }
fault_killed_term() { kill -TERM "$(nginx_pid)"; }
fault_killed_stopped() { "$base/ctl" stop; }
fault_killed_crash() { signal -SEGV "$(nginx_pid)"; }

# ---- a database that is dead ----
fault_dead_stopped() { "$base/ctl" stop; }
fault_dead_immediate() { kill -QUIT "$(postmaster)"; }
fault_dead_killed() { kill -KILL "$(postmaster)"; }
fault_dead_socket() { rm -f "$base"/run/.s.PGSQL.5432; }
fault_dead_hangs() { kill -STOP "$(postmaster)"; }
fault_dead_terminated() { kill -TERM "$(postmaster)"; for pid in $(pgrep -P "$(postmaster)"); do kill -TERM "$pid"; done; }

# ---- connections that are used up ----
fault_connections_idle() { sessions ''; }
fault_connections_transaction() { sessions 'BEGIN; SELECT 1'; }
fault_connections_busy() { sessions 'SELECT pg_sleep(600)'; }
fault_connections_files() { for pid in $(pgrep -P "$(nginx_pid)"); do limit_one "$pid" --nofile=4:4 || exit 9; done; }

# ---- certificates ----
fault_certificate_expired() { certificate '60 days ago' 59 IP:127.0.0.1; reread; }
fault_certificate_long_expired() { certificate '2 years ago' 90 IP:127.0.0.1; reread; }
fault_certificate_name() { certificate '1 day ago' 90 DNS:desk.invalid; reread; }
fault_certificate_early() { certificate '+3 days' 90 IP:127.0.0.1; reread; }
fault_certificate_garbage() { echo 'not a certificate' >"$base/tls/site.pem"; again; }
fault_certificate_key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:prime256v1 -out "$base/tls/site.key" 2>/dev/null; again; }

# ---- permissions ----
fault_permissions_page() { chmod 600 "$base/site/public/index.html"; }
fault_permissions_folder() { chmod 700 "$base/site/public"; }
fault_permissions_owner() { chown -R root:root "$base/site/public" && chmod -R go-rwx "$base/site/public"; }
fault_permissions_uploads() { chmod 600 "$base"/uploads/*; }
fault_permissions_db_conf() { chmod 000 "$base/conf/records.conf"; again; }
fault_permissions_db_hba() { chmod 000 "$base/conf/pg_hba.conf"; again; }
fault_permissions_db_data() { chmod 777 "$base/data"; again; }
fault_permissions_db_table() {
	file=$(file_of records)
	"$base/ctl" stop
	chmod 000 "$base/data/$file"
	"$base/ctl" start >/dev/null 2>&1 || :
}

# ---- full disks ----
fault_disk_spool() { fill "$base/spool/upload-4711.part"; }
fault_disk_logs() { fill_one "$base/logs/access.log.1"; }
fault_disk_dumps() { full "$base/dumps/records.sql"; }
fault_disk_db_logs() { full "$base/logs/old.log"; }

# ---- slow dependencies ----
fault_slow_lock() { keep /usr/bin/python3 "$here/tests/bench/faults/hold.py" lock "$base/run" 'BEGIN; LOCK TABLE pulse, records IN ACCESS EXCLUSIVE MODE; SELECT 1'; sleep 0.3; }
fault_slow_lock_busy() { keep /usr/bin/python3 "$here/tests/bench/faults/hold.py" lock "$base/run" 'BEGIN; LOCK TABLE pulse, records IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(600)'; sleep 0.3; }
fault_slow_backends() { signal -STOP "$(postmaster)"; }
fault_slow_web() { kill -STOP $(pgrep -P "$(nginx_pid)"); }

# ---- damaged data ----
fault_data_removed() { rm -f "$base"/uploads/*; }
fault_data_truncated() { : >"$base/uploads/upload-1.txt"; }
fault_data_garbage() { for f in "$base"/uploads/*; do head -c 64 /dev/urandom >"$f"; done; }
fault_data_moved() { mkdir "$base/uploads/old" && mv "$base"/uploads/*.txt "$base/uploads/old/"; }
fault_data_column() { database 'ALTER TABLE records RENAME COLUMN record_id TO id'; }
fault_data_table() { database 'DROP TABLE records'; }
fault_data_emptied() { database 'TRUNCATE records'; }
fault_data_page() {
	file=$(file_of records)
	"$base/ctl" stop
	dd if=/dev/urandom of="$base/data/$file" bs=512 count=16 conv=notrunc status=none
	"$base/ctl" start
}

# ---- the second set: kinds that were not looked at while weights and entries were made ----


# limits of processes
fault_limits_memory() { limit "$(postmaster)" --as=1000000:1000000; }
fault_limits_db_files() { limit "$(postmaster)" --nofile=6:6; }
fault_limits_descriptors() { sed -i 's|^events|worker_rlimit_nofile 7;\nevents|' "$base/conf/nginx.conf"; again; }

# names and addresses
fault_names_upstream() { sed -i '/location/i location = / { proxy_pass http://records.invalid:8080; }' "$(site_conf)"; again; }
fault_names_resolver() { in_site 'resolver 127.0.0.1:9; resolver_timeout 300ms; location = / { set $there records.invalid; proxy_pass http://$there:8080; }'; reread; }
fault_names_protocol() { in_site "location = / { proxy_pass http://127.0.0.1:$operators_port; }"; reread; }
fault_names_address() { in_records "listen_addresses = '192.0.2.1'"; again; }
fault_names_server() { sed -i "s|127.0.0.1:|192.0.2.1:|" "$(site_conf)"; again; }

# values of the environment
fault_environment_path() { on_desk bin/healthz 's|^began=|PGOPTIONS=--search_path=archive; export PGOPTIONS; began=|' 'portal: read from the archive'; }
fault_environment_encoding() { on_desk bin/healthz 's|^began=|PGCLIENTENCODING=KLINGON; export PGCLIENTENCODING; began=|' 'portal: another encoding'; }
fault_environment_page() { iconv -f UTF-8 -t UTF-16 "$services/desk/public/index.html" -o "$services/desk/public/index.html.new" && mv "$services/desk/public/index.html.new" "$services/desk/public/index.html"; live 'portal: a page from another editor'; }
fault_environment_locale() { in_records "lc_messages = 'tlh_QO.UTF-8'"; again; }
fault_environment_zone() { in_records "timezone = 'Mars/Phobos'"; again; }
fault_environment_library() { in_records "shared_preload_libraries = 'pg_stat_plans'"; again; }

# sockets and files of process numbers
fault_sockets_replaced() { rm -f "$base/run/.s.PGSQL.5432" && : >"$base/run/.s.PGSQL.5432"; }
fault_sockets_moved() { mv "$base/run" "$base/run.old" && mkdir "$base/run"; }
fault_sockets_pid_file() { rm -f "$base/run/nginx.pid"; }

# locks
fault_locks_migration() { holding 'BEGIN; ALTER TABLE pulse ADD COLUMN note text; SELECT pg_sleep(600)'; }
fault_locks_rename() { holding 'BEGIN; ALTER TABLE records RENAME TO records_old; ALTER TABLE pulse RENAME TO pulse_old; SELECT 1'; }
fault_locks_clients() {
	port=$([ "$host" = web-1 ] && echo "$web1_port" || echo "$web2_port")
	keep /usr/bin/python3 "$here/tests/bench/faults/hold.py" web "$port" ''
	sleep 1
	! curl -sf --max-time 2 "http://127.0.0.1:$port/" >/dev/null || exit 9 # this nginx ends the connections of who is slow, and serves everybody else
}

# who may do what
fault_access_read_only() { database 'ALTER DATABASE portal SET default_transaction_read_only = on'; }
fault_access_role() { database 'ALTER ROLE kedge NOLOGIN'; }
fault_access_closed() { database 'ALTER DATABASE portal ALLOW_CONNECTIONS false' postgres; }
fault_access_renamed() { for _ in 1 2 3 4 5 6 7 8 9; do database 'ALTER DATABASE portal RENAME TO portal_old' postgres && break; done 2>/dev/null; }
fault_access_password() { in_site 'auth_basic "portal"; auth_basic_user_file /etc/portal/people;'; reread; }
fault_access_conf_read_only() { in_records 'default_transaction_read_only = on'; reread; }
fault_access_user() { sed -i 's|^user nobody|user portal-web|' "$base/conf/nginx.conf"; again; }

# a schema that went another way than the code
fault_migration_not_null() { database "ALTER TABLE pulse ADD COLUMN reader text NOT NULL DEFAULT 'x'; ALTER TABLE pulse ALTER COLUMN reader DROP DEFAULT"; }
fault_migration_schema() { database 'CREATE SCHEMA archive; ALTER TABLE records SET SCHEMA archive'; }
fault_migration_trigger() { database "CREATE FUNCTION frozen() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''records are frozen for the migration''; END'; CREATE TRIGGER frozen BEFORE INSERT ON pulse EXECUTE FUNCTION frozen()"; }
fault_migration_code() { on_desk bin/healthz 's|count(record_id)|count(record_id) FILTER (WHERE archived)|' 'portal: only what is archived'; }

# files of the database that are torn
fault_wal_emptied() { torn 'for f in "$base"/data/pg_wal/0*; do : >"$f"; done'; }
fault_wal_control() { torn 'head -c 100 "$base/data/global/pg_control" >"$base/c" && cat "$base/c" >"$base/data/global/pg_control"; rm "$base/c"'; }
fault_wal_map() { torn 'rm -f "$base"/data/base/*/pg_filenode.map'; }
fault_wal_version() { torn 'rm -f "$base/data/PG_VERSION"'; }
fault_wal_transactions() { torn 'rm -f "$base"/data/pg_xact/*'; }

# certificates that are valid and not believed
fault_chain_intermediate() {
	t=$(mktemp -d)
	for who in root middle; do self_signed 90 -subj "/CN=$who" -keyout "$t/$who.key" -out "$t/$who.pem"; done
	openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=portal -keyout "$base/tls/site.key" -out "$t/site.csr" 2>/dev/null
	printf 'subjectAltName=IP:127.0.0.1\n' >"$t/ext"
	openssl x509 -req -in "$t/site.csr" -CA "$t/middle.pem" -CAkey "$t/middle.key" -CAcreateserial -days 90 -extfile "$t/ext" -out "$base/tls/site.pem" 2>/dev/null
	rm -rf "$t"
	reread
}
fault_chain_purpose() { self_signed 90 -addext subjectAltName=IP:127.0.0.1 -addext extendedKeyUsage=clientAuth; reread; }
fault_chain_weak() { openssl req -x509 -newkey rsa:1024 -nodes -days 90 -subj /CN=portal -addext subjectAltName=IP:127.0.0.1 -keyout "$base/tls/site.key" -out "$base/tls/site.pem" 2>/dev/null; again; }
fault_chain_gone() { rm -f "$base/tls/site.pem"; again; }
fault_chain_protocol() { in_site 'ssl_protocols SSLv3;'; reread; }

# something else where a file was
fault_filetypes_fifo() { rm "$base/uploads/upload-1.txt" && mkfifo "$base/uploads/upload-1.txt"; }
fault_filetypes_loop() { rm "$base/site/public/index.html" && ln -s index.html "$base/site/public/index.html"; }
fault_filetypes_folder() { rm "$base/site/public/index.html" && mkdir "$base/site/public/index.html"; }
fault_filetypes_dangling() { mv "$base/uploads" "$base/uploads.old" && ln -s /srv/uploads "$base/uploads"; }

# releases
fault_release_program() { on_desk bin/healthz 's|psql -X|pgsql -X|' 'portal: the new client'; }
fault_release_interpreter() { on_desk bin/healthz '1s|.*|#!/usr/bin/zsh5|' 'portal: a better shell'; }
fault_release_mode() { chmod 644 "$services/desk/bin/healthz"; live 'portal: tidy modes'; }
fault_release_conflict() { printf '<<<<<<< HEAD\nportal\n=======\nrecords\n>>>>>>> theirs\n' >"$services/desk/public/index.html"; live 'Merge branch theirs'; }
fault_release_flags() {
	printf 'new_counting=maybe (\n' >"$services/desk/bin/flags"
	sed -i 's|^began=|. "$(dirname "$0")/flags"; began=|' "$services/desk/bin/healthz"
	live 'portal: flags for features'
}
fault_release_threshold() { on_desk bin/healthz 's|"$rows" -gt 0|"$rows" -gt 100000|' 'portal: expect what production has'; }

# limits of time and number that somebody set
fault_throttle_requests() { sed -i '1i limit_req_zone $server_addr zone=all:32k rate=1r/m;' "$(site_conf)"; in_site 'limit_req zone=all;'; reread; }
fault_throttle_bytes() { in_site 'limit_rate 10;'; reread; }
fault_throttle_loop() { in_site 'error_page 404 =200 /again; location /again { try_files /nowhere.html /again; } location = / { try_files /nowhere.html /again; }'; reread; }
fault_throttle_statement() { in_records 'statement_timeout = 1'; reread; }
fault_throttle_spill() { in_records 'temp_file_limit = 0'; reread; }

# ---- the third set: made up after all of the second had been mended ----

# settings that lie where nobody looks
fault_override_system() { database "ALTER SYSTEM SET port = 6000" postgres; again; }
fault_override_role() { database "ALTER ROLE kedge SET statement_timeout = '1ms'"; }
fault_override_path() { database 'ALTER DATABASE portal SET search_path = nowhere'; }
# what was stored is not what is meant
fault_logic_view() { database 'ALTER TABLE records RENAME TO records_kept; CREATE VIEW records AS SELECT record_id / 0 AS record_id, kind, created FROM records_kept'; }
fault_logic_pulse() { database 'DROP TABLE pulse'; }
fault_logic_case() { for f in "$base"/uploads/*.txt; do mv "$f" "${f%.txt}.TXT"; done; }
# texts
fault_text_mark() { sed -i '1s|^|\xef\xbb\xbf|' "$(site_conf)"; again; }
fault_text_hash() { in_site '}'; again; }
fault_text_packed() { gzip -c "$services/desk/public/index.html" >"$services/desk/public/x" && mv "$services/desk/public/x" "$services/desk/public/index.html"; live 'portal: smaller pages'; }
# programs that go wrong
fault_program_loops() { on_desk bin/healthz 's|^began=|while :; do :; done; began=|' 'portal: wait for the lock'; }
fault_program_crashes() { on_desk bin/healthz 's|^began=|kill -SEGV $$; began=|' 'portal: native counting'; }
fault_program_link() { rm -rf "$base/site/public" && ln -s /var/empty "$base/site/public"; }
