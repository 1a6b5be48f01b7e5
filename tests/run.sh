#!/bin/sh
# Builds the release preset and runs its tests, on Debian 12 from a bare machine on.
#
#   tests/run.sh                       everything
#   tests/run.sh -L unit               what follows goes to ctest as it is
#   tests/run.sh -R base/test_text -V
#
# What is missing is installed with apt, by root only.  Services that come with a package are not started.
set -eu

build_needs="build-essential cmake ninja-build pkg-config libwebsockets-dev libwebsockets-evlib-uv libssl-dev libmsgpack-dev
	liblmdb-dev libcurl4-openssl-dev libzstd-dev zlib1g-dev libsqlite3-dev libjansson-dev libyaml-dev libcmocka-dev libseccomp-dev
	libacl1-dev libattr1-dev"
test_needs="nginx-light postgresql-15 redis-server mariadb-server mariadb-backup git python3 python3-aiosmtpd openssl strace rsync curl attr acl procps iproute2
	openssh-client shellcheck clang-format faketime systemd-journal-remote"

# Those of the given packages that are not installed.
missing() {
	for package in "$@"; do
		status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) || status=
		[ "$status" = installed ] || printf '%s ' "$package"
	done
}

# Maintainer scripts start services through these two, which they find by PATH; dpkg is given a PATH in which they do
# nothing.  Unlike a policy-rc.d this leaves no trace in the system, even when it is cut short.
make_inert_starters() {
	cat >"$1/invoke-rc.d" <<-'END'
		#!/bin/sh
		# Asked for a status: nothing runs.
		for word in "$@"; do [ "$word" = status ] && exit 3; done
		exit 0
	END
	cp "$1/invoke-rc.d" "$1/deb-systemd-invoke"
	chmod 755 "$1" "$1/invoke-rc.d" "$1/deb-systemd-invoke"
}

install_packages() {
	starters=$(mktemp -d)
	trap 'rm -rf "$starters"' EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	make_inert_starters "$starters"
	apt-get -o DPkg::Lock::Timeout=300 update
	DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=300 \
		-o DPkg::Path="$starters:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" "$@"
	rm -rf "$starters"
	trap - EXIT INT TERM
}

# shellcheck disable=SC2086 # the lists are to be split
absent=$(missing $build_needs $test_needs)
if [ -n "$absent" ] && [ "$(id -u)" -ne 0 ]; then
	echo "Missing packages: $absent" >&2
	echo "Install them with apt-get install --no-install-recommends, or run this as root." >&2
	exit 1
elif [ -n "$absent" ]; then
	echo "Installing: $absent"
	# shellcheck disable=SC2086
	install_packages $absent
fi

cd "$(dirname "$0")/.."
cmake --preset release
cmake --build --preset release
exec ctest --test-dir build/release --output-on-failure -j2 "$@"
