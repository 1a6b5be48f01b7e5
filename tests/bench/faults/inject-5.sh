# tests/bench/faults/inject-5.sh: the faults of the fifth set, made up while the fourth was being mended by somebody else, and scored once before
# anything was mended for them.  Sourced by world.sh after helpers.sh.
# shellcheck shell=sh disable=SC2154,SC2086,SC2016

# ---- configuration ----
fault_config_catch_all() { sed -i '/root /i server_name portal.example.org;' "$(site_conf)"; printf 'server {\n\tlisten 127.0.0.1:%s default_server;\n\treturn 444;\n}\n' "$(web_port)" >>"$(site_conf)"; reread; }
fault_config_alias() { sed -i 's|uploads/; }|upload/; }|' "$(site_conf)"; reread; }
fault_config_fetched() { printf '<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body>Please sign in to continue</body></html>\n' >"$(site_conf)"; again; }
fault_config_quotes() { sed -i "s|listen_addresses = ''|listen_addresses = ‘localhost’|" "$base/conf/records.conf"; again; }
fault_config_hba_typo() { echo 'locla all all trust' >"$base/conf/pg_hba.conf"; again; }
fault_config_log_directory() { in_records "logging_collector = on"; in_records "log_directory = '$base/log/postgres'"; again; }
fault_config_huge_pages() { in_records 'huge_pages = on'; again; }
fault_config_renamed() { mv "$base/conf/records.conf" "$base/conf/records.conf.old"; again; }
fault_config_dangling() { mv "$(site_conf)" "$base/conf/site.conf.dist" && ln -s /etc/nginx/sites-available/portal.conf "$(site_conf)"; again; }
fault_config_certificate_path() { sed -i 's|tls/site.pem|tls/portal.pem|' "$(site_conf)"; again; }
fault_config_no_tls() { sed -i 's| ssl;|;|' "$(site_conf)"; reread; }

# ---- services behind that are not there ----
fault_upstream_down() { sed -i '1i upstream pages { server 127.0.0.1:9 down; server 127.0.0.1:19 down; }' "$(site_conf)"; in_site 'location = / { proxy_pass http://pages; }'; reread; }
fault_upstream_garbage() { behind garbage 19200 'location = / { proxy_pass @; }'; }
fault_upstream_standby() { in_records "synchronous_standby_names = 'replica1'"; reread; }

# ---- commits and deployments ----
fault_code_path() { on_desk bin/healthz 's|$3/healthz|/srv/portal/spool/healthz|g' 'portal: one place for the spool'; }
fault_code_silent() { on_desk bin/healthz 's|^began=|[ -n "$PORTAL_SITE" ] \|\| exit 3; began=|' 'portal: the site comes from the environment'; }
fault_code_shell() { on_desk bin/healthz 's|\[ "$rows" -gt 0 \]|[[ $rows =~ ^[1-9] ]]|' 'portal: simpler test'; }
fault_code_product() { on_desk bin/healthz 's|count(record_id) FROM records|count(a.record_id) FROM records a, records b, generate_series(1, 40)|' 'portal: related records'; }
fault_deploy_branch() {
	git_quiet -C "$services/desk" checkout --orphan next
	printf '<!doctype html>\n<title>next</title><p>the next portal, work in progress</p>\n' >"$services/desk/public/index.html"
	git_quiet -C "$services/desk" commit -a -m 'next: start'
	git_quiet -C "$services/desk" push origin HEAD:next
	git_quiet -C "$services/desk" checkout main
	git_quiet -C "$base/site" fetch origin
	git_quiet -C "$base/site" reset --hard origin/next
}
fault_deploy_half() { rm -rf "$base/site/bin"; }
fault_deploy_removed() {
	git_quiet -C "$services/desk" rm -r -q public
	live 'portal: remove what is built'
}

# ---- a database that is dead ----
fault_dead_all_killed() { kill -KILL "$(postmaster)" $(pgrep -P "$(postmaster)"); }
fault_dead_recovery() { torn ': >"$base/data/recovery.signal"; chown --reference="$base/data" "$base/data/recovery.signal"'; }
fault_dead_auto_conf() { torn 'echo "shared_buffers 16 MB, please" >>"$base/data/postgresql.auto.conf"'; }

# ---- connections ----
fault_connections_other() { held other "$base/run" ''; }
fault_connections_waiting() { sessions 'SELECT pg_advisory_lock(4711)'; }

# ---- certificates ----
fault_certificate_empty() { : >"$base/tls/site.pem"; again; }
fault_certificate_truncated() { head -c 300 "$base/tls/site.pem" >"$base/tls/new" && mv "$base/tls/new" "$base/tls/site.pem"; again; }
fault_certificate_moved_host() { certificate '1 day ago' 90 IP:10.0.0.7; reread; }
fault_certificate_no_name() { self_signed 90; reread; }

# ---- permissions ----
fault_permissions_db_group() { torn 'chmod -R 770 "$base/data"'; }
fault_permissions_db_control() { torn 'chmod 000 "$base/data/global/pg_control"'; }
fault_permissions_upload() { chown root:root "$base/uploads/upload-1.txt" && chmod 600 "$base/uploads/upload-1.txt"; }

# ---- disks ----
fault_disk_dated() { fill_one "$base/logs/access.log.20261001"; }
fault_disk_db_deleted() {
	for round in 1 2 3; do dd if=/dev/zero bs=64k status=none 2>/dev/null >>"$base/logs/postgres.log"; sleep 0.2; done
	dd if=/dev/zero bs=1k status=none 2>/dev/null >>"$base/logs/postgres.log"
	rm -f "$base/logs/postgres.log"
}
fault_disk_table() { database 'CREATE TABLE import AS SELECT n, repeat(md5(n::text), 8) AS line FROM generate_series(1, 180000) n' ; database 'CREATE TABLE import_2 AS SELECT n, repeat(md5(n::text), 8) AS line FROM generate_series(1, 5000) n'; full_table; }
full_table() { # rows until there is no room
	for _ in 1 2 3 4 5 6; do database 'INSERT INTO import_2 SELECT n, repeat(md5(n::text), 8) FROM generate_series(1, 15000) n' || break; done
	for _ in 1 2 3 4 5 6 7 8 9; do database 'INSERT INTO import_2 SELECT n, repeat(md5(n::text), 8) FROM generate_series(1, 500) n' || break; done
}

# ---- slow dependencies ----
fault_slow_view() { database 'ALTER TABLE records RENAME TO records_base; CREATE VIEW records AS SELECT b.* FROM records_base b WHERE (SELECT pg_sleep(2)::text) IS NOT NULL'; }

# ---- damaged data ----
fault_data_synced() { rm -f "$base"/uploads/*; for n in 1 2; do printf 'report %s\n' "$n" >"$base/uploads/report-$n.txt"; done; }
fault_data_folder() { mv "$base/uploads" "$base/uploads.bak" && mkdir "$base/uploads"; }
fault_data_schema() { database 'DROP SCHEMA public CASCADE; CREATE SCHEMA public'; }
fault_data_database() { database 'DROP DATABASE portal WITH (FORCE)' postgres; }
fault_data_pulse_page() {
	database 'INSERT INTO pulse DEFAULT VALUES'
	file=$(file_of pulse)
	torn 'dd if=/dev/urandom of="$base/data/$file" bs=8192 count=$(($(stat -c %s "$base/data/$file") / 8192)) conv=notrunc status=none; rm -f "$base/data/${file}_fsm"'
}

# ---- who may do what, and a schema that does not take what is written ----
fault_access_set_role() { database "CREATE ROLE reader; ALTER ROLE kedge SET role = 'reader'"; }
fault_access_role_renamed() {
	database 'CREATE ROLE temporary SUPERUSER LOGIN'
	timeout 10 psql -w -X -q -h "$base/run" -p 5432 -U temporary -d postgres -c 'ALTER ROLE kedge RENAME TO kedge_old'
}
fault_schema_rule() { database 'CREATE RULE frozen AS ON INSERT TO pulse DO INSTEAD NOTHING'; }
fault_schema_default() { database 'ALTER TABLE pulse ALTER COLUMN at DROP DEFAULT'; }
fault_schema_renamed() { database 'ALTER TABLE records RENAME TO record'; }

# ---- a harmless change just before: it is not the cause, and must stay ----
before_coincidence_reload() { echo '# reviewed by the database team' >>"$base/conf/records.conf"; reread; }
fault_coincidence_reload() { full "$base/dumps/records.sql"; }
before_coincidence_release() { on_desk public/style.css '1i /* larger headings */' 'portal: larger headings'; }
fault_coincidence_release() { rm -f "$base"/uploads/*; }
before_coincidence_map() { printf 'map $http_accept_language $language { default en; ~^cy cy; }\n' >"$base/conf/conf.d/10-language.conf"; reread; }
fault_coincidence_map() { on_desk public/index.html 's|portal-ready|{% include state %}|' 'portal: state from a partial'; }
