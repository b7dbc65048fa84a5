# The pipeline in a container, on CPUs: docs/teams.md#containers. Tests check the commands; nobody has built the image yet.
FROM python:3.13.7-slim-trixie@sha256:5f55cdf0c5d9dc1a415637a5ccc4a9e18663ad203673173b8cda8f8dcacef689 AS base
RUN apt-get update && apt-get install --yes --no-install-recommends git make && rm -rf /var/lib/apt/lists/*
RUN useradd --create-home pipeline && install --directory --owner=pipeline /pipeline
USER pipeline
WORKDIR /pipeline

# The environment, from the lock alone: an edit of the code does not install it again.
FROM base
COPY --chown=pipeline Makefile pyproject.toml uv.lock ./
COPY --chown=pipeline tools tools
RUN make setup
COPY --chown=pipeline . .
CMD ["make", "repro"]
