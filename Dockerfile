# syntax=docker/dockerfile:1
# The gateway as a container: tasks.yaml is mounted at /etc/gateway/tasks.yaml, everything else is GATEWAY_… settings.
# It listens to other hosts, so it starts only with GATEWAY_API_KEYS_FILE, or with GATEWAY_INSECURE said aloud.

FROM python:3.11-slim AS builder
WORKDIR /src
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
COPY requirements/ requirements/
# No pip in here: it would reach the final stage, which has the same interpreter at the same place.
RUN python -m venv --without-pip /opt/gateway \
    && python -m pip --python /opt/gateway/bin/python install --quiet --no-deps --require-hashes -r requirements/runtime.txt
# The build backend alone, with the hashes that are locked for development.
RUN awk '/^flit-core==/ { p = 1 } p { print } p && !/\\$/ { exit }' requirements/development.txt > /tmp/build.txt \
    && python -m venv /tmp/build \
    && /tmp/build/bin/python -m pip install --quiet --no-deps --require-hashes -r /tmp/build.txt
COPY pyproject.toml README.md ./
COPY gateway/ gateway/
RUN /tmp/build/bin/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir /tmp/dist . \
    && python -m pip --python /opt/gateway/bin/python install --quiet --no-deps /tmp/dist/*.whl \
    && /opt/gateway/bin/python -m compileall -q /opt/gateway/lib

FROM python:3.11-slim
RUN groupadd --gid 10001 gateway \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin gateway
COPY --from=builder /opt/gateway /opt/gateway
# The one folder for a volume that the gateway's user may write: `gateway keys new` makes its file there.
RUN install -d -o 10001 -g 10001 -m 0700 /var/lib/gateway
ENV PATH=/opt/gateway/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /etc/gateway
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ.get('GATEWAY_PORT', '8000') + '/health/live', timeout=2)"]
ENTRYPOINT ["gateway"]
CMD ["serve", "--config", "/etc/gateway/tasks.yaml", "--host", "0.0.0.0"]
