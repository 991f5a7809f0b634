# The server without models. Models are mounted at /models.
#   docker build -t tessera .
#   docker run --read-only --tmpfs /tmp --cap-drop ALL -v "$PWD/models:/models:ro" -p 127.0.0.1:8000:8000 tessera
# The base can be any Debian with Python 3.11 or newer, venv and pip.
ARG BASE=python:3.12-slim-bookworm

FROM ${BASE} AS build
# An additional package index for torch: pip's own indexes have the CUDA build for Linux, which has several GB.
# For a CUDA build, give https://download.pytorch.org/whl/cu130. If empty, pip uses only its configured indexes.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
WORKDIR /build
RUN python3 -m venv --without-pip /opt/tessera
# Dependencies are installed first, so that their layer stays cached when the code changes.
COPY pyproject.toml constraints.txt ./
RUN python3 -c 'import tomllib; project = tomllib.load(open("pyproject.toml", "rb"))["project"]; \
        print(*project["dependencies"], *project["optional-dependencies"]["mqtt"], sep="\n")' \
        > requirements.txt \
    && python3 -m pip --python /opt/tessera/bin/python install --no-cache-dir --disable-pip-version-check \
        ${TORCH_INDEX:+--extra-index-url "${TORCH_INDEX}"} --constraint constraints.txt --requirement requirements.txt \
    # Delete files that serving never reads, a quarter of the size: C++ headers, protoc, and the tests of numpy, scipy,
    # sympy and torch.
    && find /opt/tessera -depth -type d \( -name tests -o -path '*/torch/test' -o -path '*/torch/include' \) \
        -exec rm -rf {} + \
    && find /opt/tessera -path '*/torch/bin/*' ! -name torch_shm_manager -delete
COPY README.md LICENSE ./
COPY app app
RUN python3 -m pip --python /opt/tessera/bin/python install --no-cache-dir --disable-pip-version-check --no-deps .

FROM ${BASE}
ARG VERSION=unreleased
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Tessera" \
      org.opencontainers.image.description="REST inference microservice for tiled visual anomaly detection" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
RUN groupadd --gid 10001 tessera \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin tessera
COPY --from=build /opt/tessera /opt/tessera
# The server writes only to /tmp, for uploads over 1 MiB. A read-only container needs a tmpfs there.
ENV PATH=/opt/tessera/bin:$PATH \
    HOME=/tmp \
    PYTHONUNBUFFERED=1 \
    TESSERA_HOST=0.0.0.0 \
    TESSERA_PORT=8000 \
    TESSERA_MODELS_DIR=/models
USER 10001:10001
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
