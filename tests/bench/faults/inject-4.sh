# tests/bench/faults/inject-4.sh: the faults of the fourth set, made up by somebody who had not read the diagnosis, and scored once before anything
# was mended for them.  Sourced by world.sh after helpers.sh.
# shellcheck shell=sh disable=SC2154,SC2086,SC2016

# ---- configuration: of other files, and by other hands ----
fault_config_default_server() { printf 'server {\n\tlisten 127.0.0.1:%s default_server;\n\treturn 404;\n}\n' "$(web_port)" >"$base/conf/conf.d/00-default.conf"; reread; }
fault_config_index() { in_site 'index index.php;'; reread; }
fault_config_log_folder() { sed -i "s|error_log $base/logs/|error_log $base/log/nginx/|" "$base/conf/nginx.conf"; again; }
fault_config_glob() { sed -i 's|conf.d/\*.conf|conf.d/*.enabled|' "$base/conf/nginx.conf"; again; }
fault_config_wal_level() { in_records 'wal_level = minimal'; again; }
fault_config_ssl() { in_records 'ssl = on'; again; }

# ---- who is let in ----
fault_auth_scram() { echo 'local all all scram-sha-256' >"$base/conf/pg_hba.conf"; reread; }
fault_auth_no_entry() { echo 'local portal portal trust' >"$base/conf/pg_hba.conf"; reread; }
fault_auth_mutual() { in_site "ssl_client_certificate $base/tls/site.pem; ssl_verify_client on;"; reread; }

# ---- commits ----
fault_code_function() { on_desk bin/healthz 's|count(record_id)|count_records(record_id)|' 'portal: count with the new function'; }
fault_code_arguments() { on_desk bin/healthz 's|-h "$1" -p "$2"|-h "$2" -p "$1"|' 'portal: order of arguments'; }
fault_code_check_moved() {
	git_quiet -C "$services/desk" mv bin/healthz bin/health
	live 'portal: shorter names'
}

# ---- edited on the host, without a commit ----
fault_hotfix_page() { on_host public/index.html 's|portal-ready|The portal is being updated|'; }
fault_hotfix_check() { on_host bin/healthz 's|FROM records|FROM records WHERE deleted IS NULL|'; }

# ---- processes ----
fault_killed_frozen() { signal -STOP "$(nginx_pid)"; }
fault_killed_quit() { kill -QUIT "$(nginx_pid)"; }

# ---- a database that is dead ----
fault_dead_main_conf() { torn 'rm -f "$base/data/postgresql.conf"'; }
fault_dead_standby() { torn ': >"$base/data/standby.signal"; chown --reference="$base/data" "$base/data/standby.signal"'; }
fault_dead_shutting_down() { held lock "$base/run" 'SELECT 1'; kill -TERM "$(postmaster)"; }

# ---- connections ----
fault_connections_aborted() { sessions 'BEGIN; SELECT 1/0'; }
fault_connections_copy() { sessions 'COPY pulse FROM STDIN'; }
fault_connections_raw() { held raw "$base/run/.s.PGSQL.5432" ''; }

# ---- certificates ----
fault_certificate_hour() { certificate '25 hours ago' 1 IP:127.0.0.1; reread; }
fault_certificate_der() { openssl x509 -in "$base/tls/site.pem" -outform DER -out "$base/tls/new" && mv "$base/tls/new" "$base/tls/site.pem"; again; }
fault_certificate_passphrase() {
	openssl pkcs8 -topk8 -in "$base/tls/site.key" -out "$base/tls/new" -passout pass:portal && mv "$base/tls/new" "$base/tls/site.key"
	"$base/ctl" stop
	setsid "$base/ctl" start </dev/null >/dev/null 2>&1 || :
}
fault_certificate_swapped() { mv "$base/tls/site.pem" "$base/tls/new" && mv "$base/tls/site.key" "$base/tls/site.pem" && mv "$base/tls/new" "$base/tls/site.key"; again; }

# ---- permissions ----
fault_permissions_check() { chmod 644 "$base/site/bin/healthz"; }
fault_permissions_site() { chmod 700 "$base/site"; }
fault_permissions_uploads_folder() { chmod 700 "$base/uploads"; }
fault_permissions_db_wal() { torn 'chmod 000 "$base/data/pg_wal"'; }

# ---- disks ----
fault_disk_inodes() { # the volume has some thousands of inodes: see volumes
	for round in 1 2; do seq 1 9000 | sed "s|.*|$base/spool/session-$round-&.part|" | xargs touch 2>/dev/null; done
	:
}
fault_disk_deleted() { # a log is deleted, and nginx keeps it open
	dd if=/dev/zero bs=64k status=none 2>/dev/null >>"$base/logs/access.log" || :
	rm -f "$base/logs/access.log"
}
fault_disk_many() {
	for round in 1 2 3; do
		n=0
		while dd if=/dev/zero of="$base/dumps/nightly-$round-$n.dump" bs=1M count=8 status=none 2>/dev/null; do n=$((n + 1)); done
		dd if=/dev/zero of="$base/logs/postgres.log.$round" bs=8k status=none 2>/dev/null || :
		sleep 0.2
	done
}

# ---- slow dependencies ----
fault_slow_records() { holding 'BEGIN; LOCK TABLE records IN ACCESS EXCLUSIVE MODE; SELECT 1'; }
fault_slow_index() { holding 'BEGIN; CREATE INDEX pulse_at ON pulse (at); SELECT 1'; }
fault_slow_upstream() { behind silent 19000 'location = / { proxy_pass @; }'; }
fault_slow_trigger() { database "CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(5); RETURN NEW; END'; CREATE TRIGGER audit BEFORE INSERT ON pulse FOR EACH ROW EXECUTE FUNCTION audit()"; }
fault_slow_delay() { in_records 'post_auth_delay = 3'; reread; }

# ---- damaged data ----
fault_data_compressed() { gzip "$base"/uploads/*.txt; }
fault_data_overwritten() { for f in "$base"/uploads/*.txt; do printf '<html><head><title>502 Bad Gateway</title></head></html>\n' >"$f"; done; }
fault_data_deleted_rows() { database 'DELETE FROM records'; }
fault_data_file_gone() {
	file=$(file_of records)
	torn 'rm -f "$base/data/$file"'
}

# ---- a schema that does not take what is written ----
fault_schema_partition() { database "ALTER TABLE pulse RENAME TO pulse_old; CREATE TABLE pulse (at timestamptz NOT NULL DEFAULT now()) PARTITION BY RANGE (at); CREATE TABLE pulse_2025 PARTITION OF pulse FOR VALUES FROM ('2025-01-01') TO ('2026-01-01')"; }
fault_schema_sequence() { database "CREATE SEQUENCE pulse_number AS smallint; ALTER TABLE pulse ADD COLUMN number smallint DEFAULT nextval('pulse_number'); SELECT setval('pulse_number', 32767)"; }
fault_schema_check() { database "ALTER TABLE pulse ADD CONSTRAINT closed_year CHECK (at < '2026-01-01') NOT VALID"; }

# ---- a harmless change just before: it is not the cause, and must stay ----
before_coincidence_commit() {
	host=web-1
	on_desk public/style.css '1i /* the portal, in its new colours */' 'portal: a comment'
}
fault_coincidence_commit() { "$base/ctl" stop; }
before_coincidence_config() { sed -i '1i # checked by the platform team' "$base/conf/nginx.conf"; reread; }
fault_coincidence_config() { signal -KILL "$(nginx_pid)"; }
before_coincidence_upload() { printf 'upload 4 of %s\n' "$host" >"$base/uploads/upload-4.txt"; }
fault_coincidence_upload() { certificate '40 days ago' 30 IP:127.0.0.1; reread; }
