# The demo as an image: docker build -t vision-suite . && docker run --rm -p 8501:8501 vision-suite
# The same image runs on a GPU: docker run --gpus all ... (torch from PyPI brings CUDA; the host needs only the driver)
FROM python:3.11-slim-bookworm

# What OpenCV is linked against, and Hangul for the labels of drawn boxes.
RUN apt-get update \
    && apt-get install -y --no-install-recommends fonts-nanum libgl1 libglib2.0-0 \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /app
# The locked versions of what the project runs on, without the tools that test it.
COPY pyproject.toml requirements.lock ./
RUN python -m pip install --no-cache-dir --disable-pip-version-check --constraint requirements.lock uv \
    && uv pip install --system --no-cache --compile-bytecode --constraint requirements.lock --requirements pyproject.toml

COPY .streamlit .streamlit
COPY configs configs
COPY samples samples
COPY mini/weights mini/weights
COPY pipelines pipelines
COPY streamlit_app.py ./

# Visitors' work runs as a user who can write nothing but these folders, which volumes may stand for.
RUN useradd --create-home --uid 1000 demo \
    && install --directory --owner=demo --group=demo albums models submissions /home/demo/.cache/huggingface
USER demo

# mini: the bundled models. base: the real ones, which the first click downloads; keep them in a volume:
# docker run -e PROFILE=base -v vision-models:/home/demo/.cache/huggingface ...
ARG PROFILE=mini
ENV PROFILE=${PROFILE} \
    SUITE_PUBLIC=1 \
    HF_HOME=/home/demo/.cache/huggingface \
    PYTHONUNBUFFERED=1

EXPOSE 8501
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8501/_stcore/health', timeout=4)"]
CMD ["python", "-m", "pipelines.demo", "--server.address=0.0.0.0", "--server.port=8501", "--browser.serverAddress=localhost"]
