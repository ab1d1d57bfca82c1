#!/usr/bin/env bash
# Install the peers that `rattil bench serve --peers` runs beside Rattil into their own environment.
#
#   benchmarks/peers/setup.sh [FOLDER]      (default: benchmarks/peers/.venv; needs Python 3.11+ and ~1 GB)
#
# Their full requirements pull CUDA, OpenVINO and PortAudio; what is listed here is what their
# faster-whisper servers import on a CPU.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
venv=${1:-$here/.venv}
python=${PYTHON:-python3}
torch=${TORCH:-torch==2.13.0+cpu}

"$python" -m venv "$venv"
pip() { "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "$@"; }
# Without an index of its own first: a mirror or a folder of wheels may have it.
pip "$torch" 2>/dev/null || pip --extra-index-url https://download.pytorch.org/whl/cpu "$torch"
pip "faster-whisper==1.2.1" websockets websocket-client "fastapi>=0.115" "uvicorn>=0.34" \
    "python-multipart>=0.0.31" "starlette>=1.3.1" soundfile scipy prometheus_client librosa tiktoken tqdm
pip --no-deps "whisper-live==0.10.0" "whisperlivekit==0.2.26"
echo "peers ready in $venv"
