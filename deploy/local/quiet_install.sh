#!/bin/sh
# Runs the given command (an apt-get install) as root so that no service is started and no database
# cluster is made by it. Whatever stood at the two places that it touches is put back at the end, also
# when it is interrupted; a copy left over by a killed run is put back first.
set -eu

policy=/usr/sbin/policy-rc.d
saved=/usr/sbin/policy-rc.d.before-chatsdk-local
cluster_dir=/etc/postgresql-common/createcluster.d
cluster=$cluster_dir/chatsdk-local.conf
marker='# chatsdk-local: for the time of one installation'

restore() {
    trap - EXIT INT TERM HUP
    if grep -qsF "$marker" "$policy"; then rm -f "$policy"; fi
    if [ -e "$saved" ] || [ -L "$saved" ]; then mv -f "$saved" "$policy"; fi
    rm -f "$cluster"
    rmdir "$cluster_dir" /etc/postgresql-common 2>/dev/null || true
}

restore
trap restore EXIT
trap 'restore; exit 130' INT TERM HUP

if [ -e "$policy" ] || [ -L "$policy" ]; then mv -f "$policy" "$saved"; fi
printf '#!/bin/sh\n%s\nexit 101\n' "$marker" >"$policy"
chmod 755 "$policy"
mkdir -p "$cluster_dir"
printf '%s\ncreate_main_cluster = false\n' "$marker" >"$cluster"

DEBIAN_FRONTEND=noninteractive "$@"
