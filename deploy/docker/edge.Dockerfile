# Gateway, session router, and the client commands: no model, no torch.
# docker build -f deploy/docker/edge.Dockerfile -t rattil/edge .
ARG PYTHON_IMAGE=docker.io/library/python:3.12-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
WORKDIR /src
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY deploy/docker/requirements.py deploy/docker/constraints.txt ./
RUN python -m venv /opt/venv \
 && python requirements.py pyproject.toml edge > requirements.txt \
 && /opt/venv/bin/pip install --constraint constraints.txt --requirement requirements.txt
COPY shared shared
COPY gateway gateway
COPY session_router session_router
COPY rattil rattil
COPY asr_worker asr_worker
COPY cli cli
RUN /opt/venv/bin/pip install --no-deps .

FROM ${PYTHON_IMAGE}
RUN groupadd --gid 10001 rattil && useradd --uid 10001 --gid rattil --no-create-home --shell /usr/sbin/nologin rattil \
 && install --directory --owner=10001 --group=10001 /recordings
COPY --from=build /opt/venv /opt/venv
COPY cli/samples /app/cli/samples
COPY deploy/docker/health.py /app/health.py
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    HOST=0.0.0.0 ROUTER_HOST=0.0.0.0 DEMO_SAMPLES=/app/cli/samples HEALTH_URL=http://127.0.0.1:8000/health
WORKDIR /app
USER 10001:10001
EXPOSE 8000 8100 9000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["python", "/app/health.py"]
ENTRYPOINT ["rattil"]
CMD ["gateway"]
