#!/usr/bin/env bash
# Installs nginx and Caddy from Debian's packages, for the tests of examples/proxy/, unless they are installed.
set -euo pipefail
if [ -x /usr/sbin/nginx ] && command -v caddy > /dev/null; then
    exit 0
fi
root=()
if [ "$(id -u)" != 0 ]; then
    root=(sudo)
fi
"${root[@]}" apt-get update --quiet
"${root[@]}" apt-get install --yes --quiet --no-install-recommends nginx-light caddy
