#!/bin/sh
# check_shell.sh SOURCE_DIR: shellcheck has nothing to say about any shell script of the project, and dash can read those that ask for sh.
#
# Scripts with a #! line are looked at as they are; parts without one through the script that sources them, which must name each in a
# "# shellcheck source=" line.  77: shellcheck is not installed.
set -eu
cd "$1"

command -v shellcheck >/dev/null || { echo "skipped: shellcheck is not installed"; exit 77; }

wrong=0
whole='' parts=''
for f in .ci/run $(find packaging tests -name '*.sh' | LC_ALL=C sort); do
	case $(head -c 2 "$f") in
	'#!') whole="$whole $f" ;;
	*) parts="$parts $f" ;;
	esac
done
if [ -z "$whole" ] || [ -z "$parts" ]; then
	echo "there are no scripts to look at"
	exit 1
fi

for f in $whole; do
	shellcheck -x -a -P SCRIPTDIR -S info "$f" || wrong=1
done
for f in $parts; do # sourced by the script that has its folder's name, as packaging/quickstart/fleet.sh, or by one beside it
	folder=$(dirname "$f") name=$(basename "$f")
	grep -qs "^# shellcheck source=$(basename "$folder")/$name\$" "$folder.sh" || grep -qs "^# shellcheck source=$name\$" "$folder"/*.sh || {
		echo "$f is named in no \"# shellcheck source=\" line of $folder.sh or of a script beside it: nothing looks at it"
		wrong=1
	}
done
for f in $whole $parts; do
	head -n 1 "$f" | grep -q bash || dash -n "$f" || wrong=1
done
exit $wrong
