#!/usr/bin/env bash
# Installs the database PostgreSQL from Debian's packages, for the tests of jobs of several servers, unless it is installed.
set -euo pipefail
if compgen -G '/usr/lib/postgresql/*/bin/postgres' > /dev/null; then
    exit 0
fi
root=()
if [ "$(id -u)" != 0 ]; then
    root=(sudo)
fi
# The package would otherwise make a cluster, and start it.
"${root[@]}" install -D --mode=644 /dev/stdin /etc/postgresql-common/createcluster.d/no-main.conf <<< 'create_main_cluster = false'
"${root[@]}" apt-get update --quiet
"${root[@]}" apt-get install --yes --quiet --no-install-recommends postgresql
