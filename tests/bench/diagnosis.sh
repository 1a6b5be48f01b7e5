#!/bin/sh
# The diagnosis benchmarks on public data, ours beside published peers.
#
#   tests/bench/diagnosis.sh [--kedge PROGRAM] [--data FOLDER] [SECTION…]
#
# PROGRAM: the `kedge` to measure (build/release/bin/kedge).  FOLDER: holds data/ and scorers/ (../shared beside the
# checkout); without it nothing can be measured, which is said and is no failure.  Each section is a program in
# diagnosis/ that prints its table; without names all of them run, but for what is a part of others (rows, drain,
# standins) or made once (corpus).  It gets the program, data/ and scorers/ as KEDGE, DATA and SCORERS; diagnosis/rows.py helps with rows and
# intervals.  Exit 77 of a section: skipped.  Not a test: run by hand, some minutes in all.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
KEDGE=$root/build/release/bin/kedge
shared=$root/../shared
while [ $# -gt 0 ]; do
	case $1 in
	--kedge) KEDGE=$(realpath "$2"); shift 2 ;;
	--data) shared=$(realpath "$2"); shift 2 ;;
	-*) echo "usage: $0 [--kedge PROGRAM] [--data FOLDER] [SECTION...]" >&2; exit 2 ;;
	*) break ;;
	esac
done
DATA=$shared/data
SCORERS=$shared/scorers
export KEDGE DATA SCORERS
if [ ! -d "$DATA" ] || [ ! -d "$SCORERS" ]; then
	echo "skipped: there are no data/ and scorers/ in $shared (--data names the folder)"
	exit 0
fi
if [ ! -x "$KEDGE" ]; then
	echo "there is no program $KEDGE: cmake --preset release && ninja -C build/release kedge, or --kedge PROGRAM" >&2
	exit 2
fi
if ! command -v python3 > /dev/null; then
	echo "skipped: python3 is not installed, which the sections and scorers are written in"
	exit 0
fi
if [ $# -eq 0 ]; then
	for file in "$here"/diagnosis/*.py; do
		section=$(basename "$file" .py)
		case $section in rows | drain | standins | corpus) ;; *) set -- "$@" "$section" ;; esac
	done
fi
code=0
for section in "$@"; do
	if [ ! -f "$here/diagnosis/$section.py" ]; then
		echo "there is no section $section" >&2
		code=2
		continue
	fi
	echo
	echo "== $section"
	result=0
	PYTHONPATH=$here/diagnosis python3 "$here/diagnosis/$section.py" || result=$?
	case $result in
	0) ;;
	77) echo "skipped" ;;
	*) echo "section $section failed" >&2; code=1 ;;
	esac
done
exit $code
