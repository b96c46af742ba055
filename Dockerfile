# isic-screen for a server of one's own:
#
#     docker build -t isic-screen .
#     docker run --rm --read-only --tmpfs /tmp --cap-drop ALL -p 127.0.0.1:7860:7860 isic-screen
#
# Every package is the very file that deploy/requirements.lock names by its hash. Without a GPU, PyTorch's CPU builds make
# the image some gigabytes smaller; they have other hashes, so that the versions are then those of requirements.txt:
#
#     docker build --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cpu -t isic-screen .
FROM python:3.11.14-slim-bookworm

ARG TORCH_INDEX=""

WORKDIR /app
COPY requirements.txt deploy/requirements.lock ./
RUN if [ -n "$TORCH_INDEX" ]; \
    then python -m pip install --no-cache-dir --extra-index-url "$TORCH_INDEX" -r requirements.txt ; \
    else python -m pip install --no-cache-dir --require-hashes -r requirements.lock ; \
    fi

COPY app.py LICENSE ./
COPY isic_screen ./isic_screen
COPY assets ./assets
RUN python -m compileall -q app.py isic_screen

# Everything the page writes goes to /tmp: uploads, deleted again, and the caches of libraries.
ENV GRADIO_SERVER_NAME=0.0.0.0 \
    GRADIO_SERVER_PORT=7860 \
    GRADIO_TEMP_DIR=/tmp \
    HF_HUB_OFFLINE=1 \
    HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1

RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin screen
USER 10001

EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=5s --start-period=120s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as u; u.build_opener(u.ProxyHandler({})).open('http://127.0.0.1:' + os.environ['GRADIO_SERVER_PORT'] + '/healthz', timeout=4)"]
CMD ["python", "app.py"]
