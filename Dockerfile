# The demo and the explorer, for docker-compose.yml.
FROM python:3.12.11-slim-bookworm
WORKDIR /srv/otel-kit
COPY . .
RUN pip install --no-cache-dir --constraint constraints.txt uv \
 && uv pip install --system --no-cache --constraint constraints.txt --group demo '.[contrib,explorer]'
# Streamlit wants a home that it may write to.
ENV HOME=/tmp
USER 10001
