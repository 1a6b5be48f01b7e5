# tests/bench/faults/inject-9.sh: the faults of the ninth set, made up by somebody who knew neither the diagnosis nor what had been mended for the eight before:
# ordinary ones, each with a file, a key or a way that those have not.  Sourced by world.sh after inject-7.sh, whose helpers it uses.
# shellcheck shell=sh disable=SC2154,SC2086,SC2016

# ---- configuration ----
fault_config_cut() { head -c "$(($(stat -c %s "$(site_conf)") * 2 / 3))" "$(site_conf)" >"$base/new" && cat "$base/new" >"$(site_conf)"; rm "$base/new"; again; }
fault_config_answer() { in_site 'location = / { default_type text/plain; return 200 "OK"; }'; reread; }
fault_config_referers() { sed -i 's|uploads/; }|uploads/; valid_referers portal.example.org; if ($invalid_referer) { return 403; } }|' "$(site_conf)"; reread; }
fault_config_old_key() { in_records 'wal_keep_segments = 32'; again; }
fault_config_search_path() { in_records "search_path = 'archive'"; reread; }

# ---- commits and deployments ----
fault_code_large_test() { on_desk bin/healthz 's|bs=64k count=1|bs=64M count=1|' 'portal: is there room for a large upload?'; }
fault_code_locks() { # locks, counts, and tells the others only later
	on_desk bin/healthz "s#psql -X -A -t \\(.*\\) -c 'SELECT count(record_id) FROM records'#psql -X -q -A -t \\1 -c 'BEGIN; LOCK TABLE records, pulse IN ACCESS EXCLUSIVE MODE' -c 'SELECT count(record_id) FROM records' -c 'DO \$\$BEGIN PERFORM pg_sleep(2.5); END\$\$' -c COMMIT#" 'portal: a count that nobody changes meanwhile'
}
fault_deploy_merge() { # an edit of the host's own is committed there, and the next deployment stops half way through a merge
	on_host bin/healthz 's|the spool cannot be written|no room in the spool|'
	git_quiet -C "$base/site" commit -a -m 'a clearer word'
	sed -i 's|the spool cannot be written|the spool takes nothing|' "$services/desk/bin/healthz"
	git_quiet -C "$services/desk" commit -a -m 'portal: say it as the manual does'
	git_quiet -C "$services/desk" push origin HEAD:main
	git_quiet -C "$base/site" pull --no-rebase --no-edit origin main
}

# ---- processes ----
fault_killed_first() { kill -KILL "$(nginx_pid)"; } # its worker goes on

# ---- a database that is dead, or that a crash has emptied ----
fault_dead_empty_folders() { torn 'find "$base/data" -mindepth 1 -type d -empty -delete'; } # copied by something that leaves empty folders out
fault_latent_unlogged() {
	database 'ALTER TABLE records SET UNLOGGED'
	sleep 3
	kill -KILL "$(postmaster)" $(pgrep -P "$(postmaster)")
	for _ in 1 2 3 4 5 6 7 8 9; do # as soon as nothing of it is left
		sleep 0.5
		"$base/ctl" start >/dev/null 2>&1
		! database 'SELECT 1' >/dev/null 2>&1 || break
	done
}

# ---- connections ----
fault_connections_row() { sessions 'BEGIN; UPDATE records SET kind = kind WHERE record_id = 1'; }

# ---- certificates ----
fault_certificate_ends() { # ten seconds from now; until then it is as good as another
	certificate '86390 seconds ago' 1 IP:127.0.0.1
	reread
	for _ in 1 2 3 4 5 6; do
		sleep 0.3
		! fetched -f --cacert "$base/tls/site.pem" "https://127.0.0.1:$(tls_port)/" | grep -q portal-ready || break
	done
}

# ---- permissions ----
fault_permissions_recursive() { chmod -R 644 "$base/site"; }
fault_permissions_db_read_only() { torn 'chmod -R a-w "$base/data"'; }
fault_access_connect() { database 'REVOKE ALL ON DATABASE portal FROM PUBLIC, kedge; ALTER ROLE kedge NOSUPERUSER'; }

# ---- disks ----
fault_disk_nearly() { # some room is left, and not enough
	fill_one "$base/spool/import-900.part"
	truncate -s -32K "$base/spool/import-900.part"
}
fault_disk_temporary() { # a session that does nothing any more, and its temporary table
	rows='' # as many as there is room for
	for n in 60000 60000 60000 60000 60000 60000 60000 60000 60000 60000 20000 20000 20000 6000 6000 2000 2000 600 600 200 200 60 60 20 20; do
		rows="$rows; INSERT INTO report SELECT n, repeat(md5(n::text), 8) FROM generate_series(1, $n) n"
	done
	holding "CREATE TEMPORARY TABLE report (number integer, line text)$rows"
	sleep 6
}

# ---- slow dependencies ----
fault_slow_burst() { sed -i '1i limit_req_zone $server_addr zone=polite:32k rate=12r/m;' "$(site_conf)"; in_site 'limit_req zone=polite burst=50;'; reread; }

# ---- damaged data ----
fault_data_zeroes() { # as a power cut leaves them: of their size and their time, and nothing in them
	for f in "$base"/uploads/*.txt; do
		touch -r "$f" "$base/new"
		head -c "$(stat -c %s "$f")" /dev/zero >"$base/zeroes" && cat "$base/zeroes" >"$f"
		touch -r "$base/new" "$f"
	done
	rm "$base/new" "$base/zeroes"
}

# ---- two at once ----
fault_two_nights() {
	at_host web-2 certificate '40 days ago' 30 IP:127.0.0.1
	reread
	at_host db-1 full "$services/db-1/dumps/nightly.sql"
}
fault_two_hands() {
	at_host db-1 "$services/db-1/ctl" stop
	at_host web-1 on_host public/index.html 's|portal-ready|closed for today|'
}

# ---- a harmless change just before: it is not the cause, and must stay ----
before_coincidence_name() { on_desk public/style.css '1i /* wider margins */' 'portal: wider margins'; }
fault_coincidence_name() { printf 'server {\n\tlisten 127.0.0.1:%s;\n\tserver_name records-portal-of-the-northern-district.internal.services.example.org;\n\treturn 301 https://portal.example.org/;\n}\n' "$(web_port)" >>"$(site_conf)"; again; }
before_coincidence_role() { database 'CREATE ROLE auditor LOGIN; GRANT SELECT ON records TO auditor'; }
fault_coincidence_role() { echo 'local all all peer' >"$base/conf/pg_hba.conf"; reread; }
before_coincidence_gzip() { sed -i 's|access_log|gzip on;\n\taccess_log|' "$base/conf/nginx.conf"; reread; }
fault_coincidence_gzip() { openssl req -new -key "$base/tls/site.key" -subj /CN=portal -out "$base/tls/site.pem" 2>/dev/null; again; } # the request, not the certificate
before_coincidence_log() { at_host db-1 in_records 'log_connections = on'; reread; }
fault_coincidence_log() { on_desk bin/healthz 's|FROM records|FORM records|' 'portal: tidy statements'; }
