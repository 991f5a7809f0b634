#!/usr/bin/env bash
# Tests the GPU path in one call: installs the kit's wheels without replacing the machine's packages, and runs all of
# benchmarks/gpu. Results are written to $OUT (by default gpu-results): JSON, one SVG, one log.
#
#   scripts/gpu/run.sh                        on a machine with a GPU, with the wheels of `make gpu-kit` in .gpu-kit
#   scripts/gpu/run.sh --rehearse [--short]   the same at a small scale on a CPU, in an environment with only the
#                                             packages of such a machine (scripts/gpu/machine.txt)
set -euo pipefail
cd "$(dirname "$0")/../.."
out=${OUT:-gpu-results} kit=${KIT:-.gpu-kit} python=${PYTHON:-python3} scale=full device=()
for option in "$@"; do
  case $option in
    --rehearse) scale=${scale/full/rehearsal} device=(--device cpu) ;;
    --short) scale=short ;;
    *) echo "run.sh: $option is not known; use --rehearse, --short or nothing" >&2; exit 2 ;;
  esac
done
if [ "$scale" != full ]; then
  environment=.venv-gpu
  if [ ! -e "$environment/.installed" ]; then
    "$python" -m venv "$environment"
    "$environment/bin/pip" install --quiet --disable-pip-version-check --constraint constraints.txt \
      --requirement scripts/gpu/machine.txt
    touch "$environment/.installed"
  fi
  python=$environment/bin/python
  kit=${KIT:-.gpu-kit/rehearsal}
  "$python" -m scripts.gpu.gather --python "$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')" --into "$kit"
fi
site=$(mktemp -d)
trap 'rm -rf "$site"' EXIT
"$python" -m pip install --quiet --disable-pip-version-check --no-index --no-deps --no-compile --target "$site" "$kit"/*.whl
export PYTHONPATH="$PWD:$site" PYTHONDONTWRITEBYTECODE=1
"$python" -c 'import sys, torch; print("Python", sys.version.split()[0], "torch", torch.__version__)'
"$python" -m benchmarks.gpu --out "$out" --scale "$scale" "${device[@]}"
