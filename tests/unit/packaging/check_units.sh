#!/bin/sh
# check_units.sh SOURCE_DIR: systemd understands every unit to the letter, each starts one of our programs, and the controller's sandbox is tight.
# 77: systemd-analyze is not installed.
set -eu
cd "$1/packaging/systemd"

command -v systemd-analyze >/dev/null || { echo "skipped: systemd-analyze is not installed"; exit 77; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
wrong=0

# The programs are not installed on the machine that builds them: units are looked at with a program that is there.
for unit in *.service; do
	sed 's|^ExecStart=/usr/bin/kedge-[a-z]*|ExecStart=/bin/true|' "$unit" >"$work/$unit"
	grep -q '^ExecStart=/bin/true ' "$work/$unit" || { echo "$unit starts none of our programs"; wrong=1; }
	program=$(sed -n 's|^ExecStart=/usr/bin/\(kedge-[a-z]*\) .*|\1|p' "$unit")
	[ "$unit" = "$program.service" ] || { echo "$unit starts $program"; wrong=1; }
	# What it says to standard error is a complaint, even where it exits with 0 (an unknown key).
	said=$(systemd-analyze verify --man=no "$work/$unit" 2>&1) || wrong=1
	[ -z "$said" ] || { printf '%s\n' "$said" | sed "s|$work/||g"; wrong=1; }
done

# 0 is tight, 100 is open.
systemd-analyze security --offline=true --threshold=20 "$work/kedge-controller.service" >"$work/security" || {
	grep -v '✓' "$work/security" || :
	echo "kedge-controller.service leaves too much open"
	wrong=1
}
exit $wrong
