# packaging/quickstart/drill.sh: two bad changes, one after the other, and what Kedge makes of them.  Sourced by quickstart.sh.

now_ms() { date +%s%3N; }

# Everything that a restore must bring back: type, mode, owner, mtime to the nanosecond, size, target, content.
tree_sum() {
	(cd "$1" && find . \( -type f -printf 'f %P %m %U:%G %T@ %s ' -exec sha256sum -b {} \; -o -printf '%y %P %m %U:%G %T@ %l\n' \) | LC_ALL=C sort)
}

reference_take() {
	mkdir -p "$dir/reference"
	for host in web-1 web-2; do
		tree_sum "$dir/services/$host/conf" >"$dir/reference/$host.conf"
		tree_sum "$dir/services/$host/site" >"$dir/reference/$host.site"
	done
}

reference_holds() {
	for host in web-1 web-2; do
		for tree in conf site; do
			tree_sum "$dir/services/$host/$tree" | cmp -s - "$dir/reference/$host.$tree" && continue
			warn "$host/$tree is not as it was:"
			tree_sum "$dir/services/$host/$tree" | diff "$dir/reference/$host.$tree" - | head -n 6 >&2
			return 1
		done
	done
}

site_answers() { # as before the drill, on both hosts
	for p in "$web1_port" "$web2_port"; do
		curl -fsS --max-time 2 "http://127.0.0.1:$p/" 2>/dev/null | grep -q portal-ready || { warn "the site on port $p does not answer as before"; return 1; }
	done
	for host in web-1 web-2; do
		"$dir/services/$host/site/bin/healthz" "$dir/services/db-1/run" "$pg_port" "$dir/services/$host/spool" >/dev/null || { warn "healthz of $host fails"; return 1; }
	done
}

incidents() { count_of "incident?limit=1000" True; }
resolved() { [ "$(count_of "incident?limit=1000" "i['state'] in ('resolved', 'closed')")" -ge "$1" ] 2>/dev/null; }
mails() { find "$dir/mail" -name '*.eml' 2>/dev/null | wc -l; }

timeline() { # timeline NUMBER BROKEN_MS: what happened when, from the controller's own records
	{ api "incident/$1"; echo; api "rollback?limit=1000"; echo; api "order?limit=1000"; echo; api "diagnosis?limit=1000"; echo; api "change?limit=1000"; } |
		python3 "$here/packaging/quickstart/timeline.py" "$2"
}

drill_one() { # drill_one config|code HOST
	number=$(($(incidents) + 1))
	step "drill: a broken $1 on $2"
	[ "$1" = config ] && say "somebody edits site.conf by hand, misses a semicolon, and restarts nginx"
	[ "$1" = code ] && say "a commit that counts records by a column that is not there goes live"
	began=$(now_ms)
	break_"$1" "$2"
	wait_for 60 "incident INC-$number resolved" resolved "$number" || { kedge incident show "INC-$number"; kedge rollback list; return 1; }
	wait_for 10 "all services HEALTHY again" all_healthy || return 1
	timeline "$number" "$began" || return 1
	say "notifications so far: $(mails) mails in $dir/mail"
}

drill() {
	reference_take
	drill_one config web-1 || return 1
	drill_one code web-2 || return 1
	repair_desk
	step "is everything as it was?"
	site_answers || return 1
	say "the site answers as before on both hosts"
	reference_holds || return 1
	say "the restored trees equal what the snapshots hold: content, mode, owner, mtime"
	reviews=$(count_of "incident?limit=1000" "i['state'] == 'resolved' and i.get('review_due')")
	[ "$reviews" = 2 ] || { warn "$reviews of 2 incidents are resolved with their review due"; return 1; }
	say "both incidents are RESOLVED, and their reviews are due within 24 hours"
	kedge audit verify || return 1
}
