# An ASR worker on NVIDIA GPUs: CUDA 12 with cuDNN 9 (what CTranslate2 loads), torch for features on the GPU.
# docker build -f deploy/docker/worker-cuda.Dockerfile -t rattil/worker-cuda .
ARG CUDA_IMAGE=docker.io/nvidia/cuda:12.6.3-cudnn-runtime-ubuntu24.04

FROM ${CUDA_IMAGE} AS build
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
# hadolint ignore=DL3008
RUN apt-get update && apt-get install --yes --no-install-recommends python3 python3-venv && rm -rf /var/lib/apt/lists/*
WORKDIR /src
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY deploy/docker/requirements.py deploy/docker/constraints.txt ./
RUN python3 -m venv /opt/venv \
 && python3 requirements.py pyproject.toml worker > requirements.txt \
 && /opt/venv/bin/pip install --constraint constraints.txt --requirement requirements.txt "torch>=2.6"
COPY shared shared
COPY gateway gateway
COPY session_router session_router
COPY rattil rattil
COPY asr_worker asr_worker
COPY cli cli
RUN /opt/venv/bin/pip install --no-deps .

FROM ${CUDA_IMAGE}
# hadolint ignore=DL3008
RUN apt-get update && apt-get install --yes --no-install-recommends python3 && rm -rf /var/lib/apt/lists/* \
 && groupadd --gid 10001 rattil && useradd --uid 10001 --gid rattil --no-create-home --shell /usr/sbin/nologin rattil \
 && install --directory --owner=10001 --group=10001 /recordings
COPY --from=build /opt/venv /opt/venv
COPY models /app/models
COPY deploy/docker/health.py /app/health.py
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    WORKER_HTTP_HOST=0.0.0.0 WORKER_HTTP_PORT=8200 ASR_MODEL=rattil-tiny ASR_DEVICE=cuda HF_HUB_OFFLINE=1 \
    HEALTH_URL=http://127.0.0.1:8200/health
WORKDIR /app
USER 10001:10001
EXPOSE 8200
HEALTHCHECK --interval=15s --timeout=5s --start-period=300s --retries=4 CMD ["python", "/app/health.py"]
ENTRYPOINT ["rattil"]
CMD ["worker"]
