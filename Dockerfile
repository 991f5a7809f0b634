# The server without models. Models are mounted at /models. Two images, with the same program:
#   docker build -t tessera:0.2.0 .                      # the CPU
#   docker build -t tessera:0.2.0-gpu --target gpu .     # NVIDIA GPUs
# With --build-arg EXTRA=ray, an image can be a node of a Ray cluster.
#   docker run --read-only --tmpfs /tmp --cap-drop ALL -v "$PWD/models:/models:ro" -p 127.0.0.1:8000:8000 tessera:0.2.0
# The base can be any Debian with Python 3.11 or newer, venv and pip; for the GPU also with Python's header files.
ARG BASE=python:3.12-slim-bookworm

FROM ${BASE} AS build
WORKDIR /build
# pip reads the value of PIP_NO_COMPILE as that of --compile: with 1 it compiles every module, 80 MB with times in them.
ENV PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_COMPILE=0
# hadolint ignore=DL3008
RUN command -v strip \
    || (apt-get update \
        && apt-get install --yes --no-install-recommends binutils \
        && rm -rf /var/lib/apt/lists/*)
# Dependencies are installed first, so that their layers stay cached when the code changes. Their hashes are pinned.
COPY requirements requirements
RUN python3 -m venv --without-pip /opt/tessera \
    && python3 -m venv --without-pip /opt/build \
    && python3 -m pip --python /opt/build/bin/python install --no-deps --require-hashes -r requirements/build.txt
ARG EXTRA=
RUN [ -z "${EXTRA}" ] \
    || python3 -m pip --python /opt/tessera/bin/python install --no-deps --require-hashes -r "requirements/${EXTRA}.txt"

FROM build AS build-cpu
# An additional package index for torch: pip's own indexes have the CUDA build for Linux, which has several GB.
# If empty, pip uses only its configured indexes. TORCH_SHA256 pins the wheel's hash, which the index states otherwise.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ARG TORCH_SHA256=
RUN sed -n "s/^torch==.*/&${TORCH_SHA256:+ --hash=sha256:${TORCH_SHA256}}/p" requirements/torch.txt > torch.txt \
    && python3 -m pip --python /opt/tessera/bin/python install --no-deps -r torch.txt \
        ${TORCH_INDEX:+--extra-index-url "${TORCH_INDEX}"} \
    && python3 -m pip --python /opt/tessera/bin/python install --no-deps --require-hashes -r requirements/cpu.txt
COPY pyproject.toml README.md LICENSE ./
COPY app app
RUN requirements/finish.sh

FROM build AS build-gpu
RUN python3 -m pip --python /opt/tessera/bin/python install --no-deps --require-hashes -r requirements/gpu.txt
COPY pyproject.toml README.md LICENSE ./
COPY app app
RUN requirements/finish.sh

FROM ${BASE} AS common
ARG VERSION=unreleased
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Tessera" \
      org.opencontainers.image.description="REST inference microservice for tiled visual anomaly detection" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# Volumes that are mounted at these two directories belong to the user, too.
RUN groupadd --gid 10001 tessera \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin tessera \
    && install --directory --owner 10001 --group 10001 /var/lib/tessera \
    && install --directory --owner 10001 --group 10001 --mode 1777 /var/cache/tessera
# The server writes to /tmp, for uploads over 1 MiB, and to /var/lib/tessera, if verdicts go to sinks or a record.
# A read-only container needs a tmpfs at the first, and a volume at the second.
ENV PATH=/opt/tessera/bin:$PATH \
    HOME=/tmp \
    PYTHONUNBUFFERED=1 \
    TESSERA_HOST=0.0.0.0 \
    TESSERA_PORT=8000 \
    TESSERA_MODELS_DIR=/models \
    TESSERA_SPOOL_DIR=/var/lib/tessera/spool
# From this directory, commands with the default path models/ find /models.
WORKDIR /
EXPOSE 8000
STOPSIGNAL SIGTERM
# The container is healthy if the server can answer pictures. The probe ignores the environment's proxy variables.
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s --retries=3 CMD ["python", "-c", "\
import http.client, os;\
probe = http.client.HTTPConnection('127.0.0.1', int(os.environ['TESSERA_PORT']), timeout=4);\
probe.request('GET', '/readyz');\
raise SystemExit(probe.getresponse().status != 200)"]
ENTRYPOINT ["tessera"]
CMD ["serve"]

FROM common AS gpu
# Triton, which searches PatchCore's memory bank, compiles a small C program for each kernel. The versions are those of
# the base's release of Debian.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/* \
    && echo '#include <Python.h>' > /tmp/header.c \
    && gcc -fsyntax-only -I"$(python3 -c 'import sysconfig; print(sysconfig.get_path("include"))')" /tmp/header.c \
    && rm /tmp/header.c
COPY --from=build-gpu /opt/tessera /opt/tessera
# What was compiled is loaded from here, so that it must not be mounted `noexec`, as Docker mounts a tmpfs.
ENV CC=gcc \
    TRITON_CACHE_DIR=/var/cache/tessera/triton \
    TESSERA_DEVICE=cuda
USER 10001:10001

FROM common AS cpu
COPY --from=build-cpu /opt/tessera /opt/tessera
USER 10001:10001
