# tests/bench/faults/inject-6.sh: the faults of the sixth set, made up while the fifth was being mended by somebody else, and scored once, on what had
# been mended for the fourth and the fifth.  Sourced by world.sh after helpers.sh.
# shellcheck shell=sh disable=SC2154,SC2086,SC2016

# ---- configuration ----
fault_config_family() { sed -i "s|listen 127.0.0.1:$(web_port);|listen [::1]:$(web_port);|" "$(site_conf)"; again; }
fault_config_few_connections() { sed -i 's|worker_connections 128|worker_connections 1|' "$base/conf/nginx.conf"; again; }
fault_config_pid_path() { sed -i "s|pid $base/run/nginx.pid|pid $base/run/portal.pid|" "$base/conf/nginx.conf"; again; }
fault_config_rewrite() { in_site 'rewrite ^ /maintenance.html last;'; reread; }
fault_config_twice() { in_site 'root /srv/portal/public;'; again; }
fault_config_unclosed() { in_site 'add_header X-Frame-Options "DENY;'; again; }
fault_config_conflict() { printf '<<<<<<< HEAD\n' >"$base/new" && cat "$(site_conf)" >>"$base/new" && printf '=======\n>>>>>>> port-change\n' >>"$base/new" && cat "$base/new" >"$(site_conf)"; rm "$base/new"; again; }
fault_config_range() { in_records 'work_mem = 1kB'; again; }
fault_config_include_db() { in_records "include 'site-local.conf'"; again; }
fault_config_reserved() { in_records 'superuser_reserved_connections = 20'; again; }
fault_config_socket_folder() { in_records "unix_socket_directories = '/run/portal-db/sockets'"; again; }
fault_config_hba_file() { in_records "hba_file = '$base/conf/pg_hba_new.conf'"; again; }
fault_config_listen_name() { in_records "listen_addresses = 'records-db.internal.invalid'"; again; }

# ---- who is let in ----
fault_auth_method() { in_site 'location = / { limit_except POST { deny all; } }'; reread; }
fault_auth_network() { sed -i 's|uploads/; }|uploads/; allow 10.0.0.0/8; deny all; }|' "$(site_conf)"; reread; }
fault_auth_request() { in_site 'auth_request /auth; location = /auth { return 401; }'; reread; }
fault_auth_role_read_only() { database 'ALTER ROLE kedge SET default_transaction_read_only = on'; }
fault_auth_role_spill() { database 'ALTER ROLE kedge SET temp_file_limit = 0'; }

# ---- commits ----
fault_code_line_ends() { on_desk bin/healthz 's|$|\r|' 'portal: edited elsewhere'; }
fault_code_page_name() {
	git_quiet -C "$services/desk" mv public/index.html public/home.html
	live 'portal: the page is called home'
}
fault_code_filter() { on_desk bin/healthz "s|FROM records'|FROM records WHERE created > now() + interval \$\$1 day\$\$'|" 'portal: only new records'; }
fault_code_port() { on_desk bin/healthz 's|-p "$2"|-p 5433|' 'portal: the new port'; }
fault_code_user() { on_desk bin/healthz 's|-U kedge|-U portal_app|' 'portal: its own role'; }

# ---- a database that is dead ----
fault_dead_folder_moved() { torn 'mv "$base/data" "$base/data.old"'; }
fault_dead_main_conf_value() { torn 'echo "max_connections = ten" >>"$base/data/postgresql.conf"'; }
fault_dead_wal_gone() { torn 'rm -rf "$base/data/pg_wal"'; }
fault_dead_control_gone() { torn 'rm -f "$base/data/global/pg_control"'; }

# ---- limits of processes and connections ----
fault_limits_file_size() { limit "$(postmaster)" --fsize=16000:16000; }
fault_connections_mixed() { sessions ''; sessions 'SELECT pg_sleep(900)'; }
fault_connections_listen() { sessions "LISTEN changes; BEGIN; DECLARE c CURSOR FOR SELECT * FROM records; FETCH 1 FROM c"; }

# ---- certificates ----
fault_certificate_key_gone() { rm -f "$base/tls/site.key"; again; }
fault_certificate_link() { rm -f "$base/tls/site.pem" && ln -s /etc/letsencrypt/live/portal/fullchain.pem "$base/tls/site.pem"; again; }
fault_certificate_order() {
	self_signed 90 -subj /CN=authority -keyout /dev/null -out "$base/tls/new"
	cat "$base/tls/site.pem" >>"$base/tls/new" && mv "$base/tls/new" "$base/tls/site.pem"
	again
}

# ---- permissions ----
fault_permissions_umask() { chmod -R o-rwx "$base/site/public"; }
fault_permissions_db_conf_folder() { chmod 000 "$base/conf"; again; }
fault_permissions_db_base() { torn 'chmod -R 000 "$base/data/base"'; }
fault_permissions_db_owner() { torn 'chown -R nobody "$base/data/global"'; }

# ---- disks ----
fault_disk_db_inodes() { for round in 1 2 3; do seq 1 9000 | sed "s|.*|$base/dumps/part-$round-&.sql|" | xargs touch 2>/dev/null; done; :; }
fault_disk_both() {
	dd if=/dev/zero of="$base/spool/import-1.part" bs=64k count=150 status=none 2>/dev/null
	fill_one "$base/logs/error.log.1"
}

# ---- slow dependencies ----
fault_slow_queue() { # who waits for a lock lets nobody pass
	holding 'BEGIN; SELECT count(*) FROM records'
	holding 'REINDEX TABLE records'
}
fault_slow_default() { database "CREATE FUNCTION stamp() RETURNS timestamptz LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(3); RETURN now(); END'; ALTER TABLE pulse ALTER COLUMN at SET DEFAULT stamp()"; }
fault_slow_auth() { behind silent 19400 'auth_request /auth; location = /auth { proxy_pass @; }'; }

# ---- damaged data ----
fault_data_links() { for f in "$base"/uploads/*.txt; do rm "$f" && ln -s "/srv/archive/${f##*/}" "$f"; done; }
fault_data_renamed() { for f in "$base"/uploads/*.txt; do mv "$f" "${f%/*}/old-${f##*/}"; done; }
fault_data_cut() { for f in "$base"/uploads/*.txt; do truncate -s 2 "$f"; done; }
fault_data_pulse_file() {
	file=$(file_of pulse)
	torn 'rm -f "$base/data/$file"*'
}
fault_data_catalog() { torn 'rm -f "$base/data/global/1262"'; }

# ---- a schema that does not take what is written ----
fault_schema_unique() { database "ALTER TABLE pulse ADD COLUMN site text NOT NULL DEFAULT 'main'; CREATE UNIQUE INDEX one_site ON pulse (site) WHERE at > '$(date -u -d '+1 second' +%FT%TZ)'"; }
fault_schema_reference() { database 'CREATE TABLE sites (site integer PRIMARY KEY); ALTER TABLE pulse ADD COLUMN site integer NOT NULL DEFAULT 7; ALTER TABLE pulse ADD FOREIGN KEY (site) REFERENCES sites NOT VALID'; }
fault_schema_audit() { database "CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO audit_log VALUES (NEW.at); RETURN NEW; END'; CREATE TRIGGER audit AFTER INSERT ON pulse FOR EACH ROW EXECUTE FUNCTION audit()"; }
fault_schema_view() { database 'ALTER TABLE pulse RENAME TO pulse_kept; CREATE VIEW pulse AS SELECT DISTINCT at FROM pulse_kept'; }

# ---- a harmless change just before: it is not the cause, and must stay ----
before_coincidence_disk() { on_desk public/style.css '1i /* for printing, too */' 'portal: for printing'; }
fault_coincidence_disk() { fill "$base/spool/upload-815.part"; }
before_coincidence_timeout() { sed -i 's|access_log|keepalive_timeout 30s;\n\taccess_log|' "$base/conf/nginx.conf"; reread; }
fault_coincidence_timeout() { for f in "$base"/uploads/*; do head -c 40 /dev/urandom >"$f"; done; }
before_coincidence_table() { echo 'log_min_duration_statement = 5s' >>"$base/conf/records.conf"; reread; }
fault_coincidence_table() { database 'DROP TABLE records'; }
