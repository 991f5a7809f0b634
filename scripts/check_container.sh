#!/usr/bin/env bash
# Builds the image, runs it as docker-compose.yml does, and checks that it becomes healthy, answers a picture, refuses a
# file that is no picture, and stops in under 10 s. Arguments are passed to the build:
# scripts/check_container.sh --build-arg TORCH_INDEX=
#
# From the environment:
#   CONTAINER_ENGINE  docker or podman; by default the first of them that works
#   BASE              the base image; by default the Dockerfile's
#   MODELS_DIR        a model repository with a model `demo`; by default models
#   IF_IMPOSSIBLE     skip, to succeed where no engine works or the base image can be neither found nor pulled
#   NETWORK           host, if containers cannot have their own network
set -euo pipefail
cd "$(dirname "$0")/.."

readonly image=tessera:check name=tessera-check-$$ picture=examples/defect.png
readonly ready_s=120 stop_s=10 # time limits to become ready, and to stop
readonly most_mb=775 # of the program; with python:3.12-slim-bookworm, which has about 125 MB, the image has at most 900 MB
engine='' port='' started=false

main() {
    local models base flags=()
    models=$(realpath "${MODELS_DIR:-models}")
    [[ -d $models/demo ]] || fail "$models holds no model \`demo\`; name another repository in MODELS_DIR"
    engine=$(find_engine)
    [[ -n $engine ]] || skip "no container engine works here (tried: ${CONTAINER_ENGINE:-docker, podman})"
    base=${BASE:-$(sed -n 's/^ARG BASE=//p' Dockerfile)}
    "$engine" image inspect "$base" >/dev/null 2>&1 || "$engine" pull --quiet "$base" >/dev/null \
        || skip "the base image $base is not here and cannot be pulled"
    port=$(find_port)
    trap clean EXIT

    begin
    [[ $engine != *podman ]] || flags+=(--format docker) # the OCI format has no health check
    "$engine" build "${flags[@]}" --build-arg "BASE=$base" --tag "$image" "$@" . || fail "the image cannot be built"
    report "built with $engine, $(($("$engine" image inspect --format '{{.Size}}' "$image") / 1000000)) MB"

    begin
    flags=(--publish "127.0.0.1:$port:8000")
    [[ ${NETWORK:-} != host ]] || flags=(--network host --env TESSERA_HOST=127.0.0.1 --env "TESSERA_PORT=$port")
    started=true
    "$engine" run --detach --name "$name" "${flags[@]}" --volume "$models:/models:ro" --read-only \
        --tmpfs /tmp:size=2g,mode=1777 --cap-drop ALL --security-opt no-new-privileges "$image" >/dev/null \
        || fail "the container cannot be started"
    await ready
    report "ready"
    await healthy
    report "healthy"
    bytes=$("$engine" exec "$name" du --summarize --bytes /opt/tessera)
    size_mb=$((${bytes%%[!0-9]*} / 1000000))
    report "the program has $size_mb MB"
    ((size_mb < most_mb)) || fail "the program has $size_mb MB, of at most $most_mb"
    [[ $("$engine" exec "$name" id -u) != 0 ]] || fail "it runs as root"
    "$engine" exec "$name" grep -q '"name": "torch"' /opt/tessera/sbom.cdx.json || fail "the SBOM does not list torch"

    begin
    post "$picture"
    [[ $status == 200 && $body =~ \"label\":\"(normal|anomalous)\" ]] || fail "$picture got $status: $body"
    report "$picture is ${BASH_REMATCH[1]}"

    begin
    post <(head -c 2097152 /dev/zero) # over 1 MiB: stored in /tmp
    [[ $status == 415 ]] || fail "2 MiB of zeros got $status instead of 415: $body"
    report "2 MiB of zeros are refused"

    begin
    "$engine" stop --time 60 "$name" >/dev/null
    report "stopped"
    ((elapsed_ms < 1000 * stop_s)) || fail "stopping took ${stop_s} s or more"
    [[ $("$engine" inspect --format '{{.State.ExitCode}}' "$name") == 0 ]] || fail "it did not exit with 0"
    trap - EXIT
    "$engine" rm "$name" >/dev/null
}

find_engine() {
    local candidate
    for candidate in ${CONTAINER_ENGINE:-docker podman}; do
        if "$candidate" ps >/dev/null 2>&1; then
            echo "$candidate"
            return
        fi
    done
}

find_port() {
    local candidate
    while candidate=$((20000 + RANDOM % 10000)); do
        if ! (exec 3<>"/dev/tcp/127.0.0.1/$candidate") 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
}

ready() { request --fail --output /dev/null "http://127.0.0.1:$port/readyz" 2>/dev/null; }

healthy() {
    if [[ $engine == *podman ]]; then # podman runs health checks by itself only with systemd
        "$engine" healthcheck run "$name" >/dev/null 2>&1
    else
        [[ $("$engine" inspect --format '{{.State.Health.Status}}' "$name") == healthy ]]
    fi
}

await() { # a condition
    local deadline=$((SECONDS + ready_s))
    until "$1"; do
        ((SECONDS < deadline)) || fail "not $1 after $ready_s s"
        [[ $("$engine" inspect --format '{{.State.Running}}' "$name") == true ]] || fail "it ended before it was $1"
        sleep 0.2
    done
}

post() { # a file; sets body and status
    local answer
    answer=$(request --form "image=@$1;filename=upload.png" --write-out '\n%{http_code}' \
        "http://127.0.0.1:$port/v1/models/demo/predict") || fail "no answer to $1"
    body=${answer%$'\n'*} status=${answer##*$'\n'}
}

request() { curl --noproxy '*' --silent --show-error --max-time 120 "$@"; }

begin() { begun=${EPOCHREALTIME/[.,]/}; } # microseconds

report() {
    elapsed_ms=$(((${EPOCHREALTIME/[.,]/} - begun) / 1000))
    printf 'check_container: %s (%d.%03d s)\n' "$*" $((elapsed_ms / 1000)) $((elapsed_ms % 1000))
}

skip() { # fails, unless a skip is allowed
    [[ ${IF_IMPOSSIBLE:-} == skip ]] || fail "$*"
    echo "check_container: skipped: $*"
    exit 0
}

fail() {
    echo "check_container: $*" >&2
    exit 1
}

clean() { # after a failure
    if $started; then
        "$engine" logs --tail 20 "$name" >&2 || true
        "$engine" rm --force "$name" >/dev/null || true
    fi
}

main "$@"
echo "check_container: passed"
