# packaging/quickstart/packages.sh: what the quickstart needs of Debian, and the build.  Sourced by quickstart.sh.

packages_needed="build-essential cmake ninja-build pkg-config libwebsockets-dev libwebsockets-evlib-uv libssl-dev libmsgpack-dev liblmdb-dev
libcurl4-openssl-dev libzstd-dev zlib1g-dev libsqlite3-dev libjansson-dev libyaml-dev libseccomp-dev libacl1-dev libattr1-dev
nginx-light postgresql-15 postgresql-client-15 git openssl openssh-client curl procps iproute2 util-linux python3 python3-aiosmtpd"

packages_missing() {
	for p in $packages_needed; do
		dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || printf '%s ' "$p"
	done
}

# Installing a server package starts it, unless the helpers that would do so find nothing to call: maintainer scripts find them by PATH,
# and apt gives dpkg a PATH of its own (DPkg::Path), so that is where two that do nothing are put, for this one installation.  The
# machine's own nginx and PostgreSQL are neither started nor touched.
packages_install() {
	missing=$(packages_missing)
	[ -n "$missing" ] || return 0
	step "packages that will be installed: $missing"
	quiet=$(mktemp -d) || return 1
	chmod 755 "$quiet"
	for f in invoke-rc.d deb-systemd-invoke; do printf '#!/bin/sh\nexit 0\n' >"$quiet/$f" && chmod 755 "$quiet/$f"; done
	# shellcheck disable=SC2086 # the list is to be split
	apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
		-o "DPkg::Path=$quiet:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" $missing >/dev/null
	code=$?
	rm -rf "$quiet"
	[ $code = 0 ] || die "apt could not install: $missing"
}

build_release() {
	[ -n "$keep" ] || rm -rf "$build"
	mkdir -p "$build"
	if ! cmake -S "$here" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DKEDGE_TESTS=OFF >"$build/quickstart.log" 2>&1 ||
		! cmake --build "$build" >>"$build/quickstart.log" 2>&1; then
		tail -n 30 "$build/quickstart.log"
		die "the build failed: see $build/quickstart.log"
	fi
	say "built in $build"
}
