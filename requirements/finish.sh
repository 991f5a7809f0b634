#!/bin/sh
# Completes /opt/tessera in an image: installs the program, writes the SBOM, and removes what serving never reads.
# The result depends only on the inputs: wheels have fixed dates, and compiled files have hashes instead of times.
set -eu
export SOURCE_DATE_EPOCH=315532800 # 1980-01-01, the first day of ZIP files
python=/opt/tessera/bin/python
/opt/build/bin/python -m hatchling build -t wheel
python3 -m pip --python "$python" install --no-deps --no-index dist/*.whl
python3 -m pip --python "$python" check
/opt/build/bin/cyclonedx-py environment --output-reproducible --pyproject pyproject.toml --of JSON \
    -o /opt/tessera/sbom.cdx.json "$python"
# What the program never reads: tests, headers, static libraries, protoc, and the symbols for debuggers, which are a fifth
# of torch. NumPy's, SciPy's and Pillow's libraries cannot be loaded after `strip`, because patchelf has moved their parts.
find /opt/tessera -depth -type d \( -name tests -o -path '*/torch/test' -o -path '*/torch/include' \) -exec rm -rf {} +
find /opt/tessera -path '*/torch/bin/*' ! -name torch_shm_manager -delete
find /opt/tessera -type f \( -name '*.a' -o -name '*.pyi' -o -name '*.pxd' -o -name '*.h' \) ! -path '*/triton/*' -delete
(
    cd /opt/tessera/lib/python3*/site-packages
    strip --strip-unneeded torch/lib/libtorch_cpu.so torch/lib/libtorch_python.so hf_xet/*.so yaml/*.so
)
"$python" -B requirements/compile.py
