# tests/bench/faults/inject-8.sh: the faults of the eighth set: made up with the seventh and while it was run, kept back until what the seventh had shown was
# mended, and scored once on that.  Sourced by world.sh after inject-7.sh, whose helpers it uses.
# shellcheck shell=sh disable=SC2154,SC2086,SC2016

fault_config_proxy_protocol() { sed -i "s|listen 127.0.0.1:$(web_port);|listen 127.0.0.1:$(web_port) proxy_protocol;|" "$(site_conf)"; again; }
fault_config_other_host() { sed "s|web-2|web-1|g; s|web-1|$host|g; s|127.0.0.1:$web2_port|127.0.0.1:$web1_port|; s|127.0.0.1:$tls2_port|127.0.0.1:$tls1_port|" "$(site_conf)" >"$base/new" && cat "$base/new" >"$(site_conf)"; rm "$base/new"; again; }
fault_deploy_submodule() {
	desk=$services/desk
	git_quiet -C "$desk" rm -r -q --cached public
	rm -rf "$desk/public" && mkdir "$desk/public"
	printf '[submodule "public"]\n\tpath = public\n\turl = https://git.invalid/portal/pages.git\n' >"$desk/.gitmodules"
	git_quiet -C "$desk" add .gitmodules
	git_quiet -C "$desk" update-index --add --cacheinfo "160000,$(git -C "$desk" rev-parse HEAD),public"
	git_quiet -C "$desk" commit -m 'portal: the pages have a repository of their own'
	git_quiet -C "$desk" push origin HEAD:main
	site_deploy "$host"
}
fault_certificate_extension() { self_signed 90 -addext subjectAltName=IP:127.0.0.1 -addext '1.3.6.1.4.1.99999.1=critical,ASN1:UTF8String:portal'; reread; }
fault_data_rotated() { for f in "$base"/uploads/*.txt; do mv "$f" "$f.1" && : >"$f"; done; }
fault_access_owner() { database 'CREATE ROLE migrator SUPERUSER LOGIN; ALTER TABLE pulse OWNER TO migrator; ALTER ROLE kedge NOSUPERUSER'; }
fault_migration_recursion() { database "CREATE FUNCTION copied() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO pulse VALUES (NEW.at); RETURN NEW; END'; CREATE TRIGGER copied AFTER INSERT ON pulse FOR EACH ROW EXECUTE FUNCTION copied()"; }
before_coincidence_both() { on_desk public/style.css '1i /* contrast */' 'portal: more contrast'; site_deploy web-1; }
fault_coincidence_both() { for f in "$base"/uploads/*.txt; do tr 'abcdefghijklmnopqrstuvwxyz' 'nopqrstuvwxyzabcdefghijklm' <"$f" >"$base/new" && cat "$base/new" >"$f"; done; rm "$base/new"; }
fault_passing_disk() { keep sh -c "dd if=/dev/zero of='$base/spool/export.tmp' bs=4k status=none; sleep 9; rm '$base/spool/export.tmp'"; sleep 0.5; }
fault_killed_throttled() {
	workers=$(pgrep -P "$(nginx_pid)" | tr '\n' ' ')
	keep sh -c "while kill -STOP $workers; do sleep 3; kill -CONT $workers; sleep 0.1; done"
}
fault_two_layers() { at_host db-1 sessions 'BEGIN; SELECT 1'; at_host web-2 in_site 'return 410;'; reread; }

# ---- made up while the seventh set was run ----
fault_config_module() { sed -i '1i load_module modules/ngx_http_brotli_static_module.so;' "$base/conf/nginx.conf"; again; }
fault_config_data_folder() { in_records "data_directory = '/var/lib/postgresql/15/portal'"; again; }
fault_config_stack() { in_records "max_stack_depth = '512MB'"; again; }
fault_code_format() { on_desk bin/healthz 's|psql -X -A -t |psql -X |' 'portal: plain output'; }
fault_locks_flapping() {
	{ for _ in $(seq 200); do echo 'BEGIN; LOCK TABLE pulse, records IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(3); COMMIT; SELECT pg_sleep(0.1);'; done; } >"$dir/run/batch.sql"
	keep psql -X -q -h "$base/run" -p 5432 -U kedge -d portal -f "$dir/run/batch.sql"
	sleep 0.3
}
fault_two_disks() {
	at_host web-2 fill "$services/web-2/spool/film-1.part"
	at_host web-1 fill "$services/web-1/spool/film-1.part"
}
before_coincidence_restart() { "$services/db-1/ctl" reload; at_host web-2 again; at_host web-1 :; }
fault_coincidence_restart() { kill -WINCH "$(nginx_pid)"; }
before_coincidence_setting() { database "ALTER ROLE kedge SET work_mem = '8MB'"; }
fault_coincidence_setting() { on_desk bin/healthz 's|psql -X -A -t |psql -X --echo-all |' 'portal: tell what is asked'; }
fault_passing_edit() {
	cp -a "$base/site/public/index.html" "$dir/run/index.html"
	printf 'back in a minute\n' >"$base/site/public/index.html"
	keep sh -c "sleep 9; cat '$dir/run/index.html' >'$base/site/public/index.html'; touch -r '$dir/run/index.html' '$base/site/public/index.html'"
}
fault_latent_certificate() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:prime256v1 -out "$base/tls/site.key" 2>/dev/null; sleep 6; signal -KILL "$(nginx_pid)"; }
fault_cron_modes() {
	printf '#!/bin/sh\n# harden: nobody else reads what is ours\nchmod -R go-rwx "$(dirname "$0")/../public"\n' >"$services/desk/bin/harden"
	chmod 755 "$services/desk/bin/harden"
	cron harden
	live 'portal: harden the host each night'
}
fault_killed_draining() { held web "$(web_port)" ''; kill -QUIT "$(nginx_pid)"; }
before_flags_environment() { on_desk bin/healthz 's|^began=|env=$(dirname "$0")/../../conf/portal.env; [ ! -r "$env" ] \|\| . "$env"; began=|' 'portal: settings of a host in a file'; }
fault_flags_environment() { printf 'PORTAL_NAME="Records portal\nPORTAL_REGION=north\n' >"$base/conf/portal.env"; }
