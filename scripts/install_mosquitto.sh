#!/usr/bin/env bash
# Installs the MQTT broker Mosquitto from Debian's packages, for the tests of MQTT, unless it is installed.
set -euo pipefail
if command -v /usr/sbin/mosquitto > /dev/null; then
    exit 0
fi
root=()
if [ "$(id -u)" != 0 ]; then
    root=(sudo)
fi
"${root[@]}" apt-get update --quiet
"${root[@]}" apt-get install --yes --quiet --no-install-recommends mosquitto
