#!/bin/sh
# packaging/quickstart.sh: Kedge on this machine, with real services, a real drill, and nothing left outside its own folder.
#
#   sh packaging/quickstart.sh                 build, start, drill, stay up
#   sh packaging/quickstart.sh --once          the same, then stop; exit 0 only if everything came back as it was
#   sh packaging/quickstart.sh --keep-building rebuild only what changed
#   sh packaging/quickstart.sh --dir DIR …     where it lives (default ./var/quickstart)
#   sh packaging/quickstart.sh --bin DIR …     use the programs in DIR, install and build nothing
#   sh packaging/quickstart.sh status | stop
#   sh packaging/quickstart.sh break config|code|data|database [web-1|web-2]
set -u
umask 022

here=$(cd "$(dirname "$0")/.." && pwd)
dir=$PWD/var/quickstart
build=$here/build/quickstart
once='' keep='' programs='' verb=up

say() { printf '%s\n' "$*"; }
step() { printf '\n== %s\n' "$*"; }
warn() { printf 'quickstart: %s\n' "$*" >&2; }
die() { printf 'quickstart: %s\n' "$*" >&2; exit 1; }

while [ $# -gt 0 ]; do
	case $1 in
	--once) once=1 ;;
	--keep-building) keep=1 ;;
	--dir) [ $# -ge 2 ] || die "--dir needs a folder"; case $2 in /*) dir=$2 ;; *) dir=$PWD/$2 ;; esac; shift ;;
	--bin) [ $# -ge 2 ] || die "--bin needs a folder"; programs=$(cd "$2" && pwd) || die "there is no folder $2"; shift ;;
	stop | status | break) verb=$1; shift; break ;;
	-h | --help) sed -n '2,10s/^# \{0,1\}//p' "$0"; exit 0 ;;
	*) die "unknown word $1; try --help" ;;
	esac
	shift
done

cd "$here" || exit 1 # the folder that it was called from may go away
bin=${programs:-$build/bin}
# shellcheck source=quickstart/packages.sh
. "$here/packaging/quickstart/packages.sh"
# shellcheck source=quickstart/services.sh
. "$here/packaging/quickstart/services.sh"
# shellcheck source=quickstart/fleet.sh
. "$here/packaging/quickstart/fleet.sh"
# shellcheck source=quickstart/drill.sh
. "$here/packaging/quickstart/drill.sh"

need_up() {
	[ -s "$dir/ports" ] || die "no quickstart is up in $dir"
	# shellcheck source=/dev/null
	. "$dir/ports"
	is_running controller || die "no quickstart is up in $dir"
}

case $verb in
stop) stop_all; exit 0 ;;
status) need_up; kedge status; exit $? ;;
break)
	need_up
	what=${1:-} host=${2:-web-1}
	case $what in
	config | code | data) break_"$what" "$host" ;;
	database) break_database ;;
	*) die "break what? config, code, data or database" ;;
	esac
	say "$what is broken on ${host}; watch: $dir/kedge watch"
	exit 0 ;;
esac

[ "$(id -u)" = 0 ] || die "run it as root: agents change owners and modes of what they restore, and it installs packages"
if [ -z "$programs" ]; then
	packages_install || exit 1
	step "build"
	build_release || exit 1
fi
mkdir -p "$dir/log"
stop_all >/dev/null 2>&1
find "$dir" -mindepth 1 -maxdepth 1 ! -name log -exec rm -rf {} +
mkdir -p "$dir/log" "$dir/controller" "$dir/operator" "$dir/mail"
: >"$dir/log/git.log"
trap 'stop_all; exit 130' INT TERM

step "services: two nginx that serve a site kept in git, one PostgreSQL that the site's health depends on"
choose_ports || exit 1
services_create
services_start
say "http://127.0.0.1:$web1_port/ (web-1)   http://127.0.0.1:$web2_port/ (web-2)   PostgreSQL in $dir/services/db-1"

step "Kedge: authority, controller, three agents"
authority_create || exit 1
mail_start
controller_start
if ! policy_sign || ! kedge policy install "$dir/operator/policy.yaml" >/dev/null; then
	stop_all
	die "the standing policy was not installed"
fi
for host in db-1 web-1 web-2; do agent_start "$host"; done
say "notifications go by SMTP to a sink on 127.0.0.1:$smtp_port, which keeps them in $dir/mail"

step "first snapshots, and waiting until all is HEALTHY"
wait_for 60 "all services HEALTHY" all_healthy || { kedge status; stop_all; exit 1; }
wait_for 60 "first restore points" all_snapshotted || { kedge snapshot list; stop_all; exit 1; }
kedge status

drill
verdict=$?
if [ -n "$once" ]; then
	stop_all
	if [ $verdict = 0 ]; then
		say "everything came back as it was"
	else
		warn "something did not come back as it was: see above, and $dir/log"
	fi
	exit $verdict
fi
cat <<TEXT

It stays up.  What to type next:
  $dir/kedge status
  $dir/kedge watch
  $dir/kedge incident show INC-1
  $dir/kedge rollback list
  $dir/kedge audit verify
  sh packaging/quickstart.sh --dir $dir break config web-2      and watch it come back
  sh packaging/quickstart.sh --dir $dir break database          nothing is rolled back by itself here: kedge incident list
  sh packaging/quickstart.sh --dir $dir stop
TEXT
exit $verdict
