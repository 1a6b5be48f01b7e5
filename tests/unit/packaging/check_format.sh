#!/bin/sh
# check_format.sh SOURCE_DIR: clang-format has nothing to change in our C.  What it wants: clang-format -i FILE.
#
# Versions of clang-format differ in small things: only that of Debian 12 is asked.  77: it is not installed.
set -eu
cd "$1"

clang-format --version 2>/dev/null | grep -q ' version 14\.' || { echo "skipped: clang-format 14 is not installed"; exit 77; }

list=$(mktemp)
trap 'rm -f "$list"' EXIT
find agent certs controller shared tests -name '*.[ch]' -print0 >"$list"
[ -s "$list" ] || { echo "there is nothing to look at"; exit 1; }
xargs -0 -a "$list" -P 2 -n 40 clang-format --dry-run -Werror
