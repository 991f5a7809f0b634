#!/usr/bin/env bash
# Installs Prometheus and promtool from Debian's packages, for the tests of examples/observe/, unless they are installed.
set -euo pipefail
if command -v prometheus > /dev/null && command -v promtool > /dev/null; then
    exit 0
fi
root=()
if [ "$(id -u)" != 0 ]; then
    root=(sudo)
fi
"${root[@]}" apt-get update --quiet
"${root[@]}" apt-get install --yes --quiet --no-install-recommends prometheus
