#!/bin/sh
# Installs the Debian packages that a purpose needs, and nothing when they are there.
# Usage: scripts/setup.sh PURPOSE...        (purposes: tools/packages.txt)
# WALMILL_SKIP_SETUP=1 skips it, for machines where the libraries come from somewhere else.
set -eu
cd "$(dirname "$0")/.."

say() { echo "setup: $*"; }
die() { echo "setup: $*" >&2; exit 1; }

# The packages of purpose $1, one a line; @OTHER is followed.
packages_of() {
	sed -n "s/^$1:[[:space:]]*//p" tools/packages.txt | tr -s ' \t' '\n\n' | while read -r name; do
		case $name in
		'') ;;
		@*) packages_of "${name#@}" ;;
		*) echo "$name" ;;
		esac
	done
}

installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

missing_of() {
	for name in $1; do
		installed "$name" || echo "$name"
	done
}

as_root() {
	if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# Debian's postgresql-15 makes and starts a cluster "main" when it is installed; walmill has no use for it. Only a machine without
# postgresql-common is told so: elsewhere the administrator has already decided.
keep_main_cluster_away() {
	installed postgresql-common && return 0
	say "installing postgresql-common first, with create_main_cluster = false"
	install_packages postgresql-common
	as_root sed -i 's/^#*[[:space:]]*create_main_cluster.*/create_main_cluster = false/' /etc/postgresql-common/createcluster.conf
	grep -q '^create_main_cluster = false' /etc/postgresql-common/createcluster.conf ||
		echo 'create_main_cluster = false' | as_root tee -a /etc/postgresql-common/createcluster.conf >/dev/null
}

install_packages() {
	say "apt-get install --no-install-recommends" "$@"
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@" </dev/null
}

[ $# -gt 0 ] || die "usage: scripts/setup.sh PURPOSE... (see tools/packages.txt)"
[ -z "${WALMILL_SKIP_SETUP:-}" ] || exit 0
wanted=$(for purpose in "$@"; do
	grep -q "^$purpose:" tools/packages.txt || die "unknown purpose \"$purpose\"; see tools/packages.txt"
	packages_of "$purpose"
done | sort -u)
if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
	die "this is not Debian; install what tools/packages.txt names by hand, then run again with WALMILL_SKIP_SETUP=1"
fi
missing=$(missing_of "$wanted")
[ -n "$missing" ] || exit 0
say "missing for $*:" $missing
if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
	die "neither root nor sudo; run as root: apt-get install --no-install-recommends" $missing
fi
as_root apt-get update -q
case " $(echo $missing) " in
*" postgresql-15 "*) keep_main_cluster_away ;;
esac
install_packages $missing
still=$(missing_of "$wanted")
[ -z "$still" ] || die "still missing after the installation:" $still
say "done"
