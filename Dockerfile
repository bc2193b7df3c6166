# The API and, by another command, the worker:
#   docker run IMAGE                               the API, on port 8000
#   docker run IMAGE python manage.py run_worker   a worker
#   docker run IMAGE python manage.py migrate
# Dockerfile.lambda says the same down to "the image itself" (a test holds it to that), so that builders and registries
# keep those layers once.

# Named here only, and in full, since Dependabot reads no ARG. Not by digest, since builders of before 2023 take none: the
# bytes are held by the image that was pushed, which is named by its commit, and each build gets Debian's latest fixes.
FROM python:3.11-slim-bookworm AS base

FROM base AS build
WORKDIR /app
ENV PATH=/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1
# A tool of this stage alone. Its version is Debian's: one that is named here would be gone with the next security update.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends binutils && rm -rf /var/lib/apt/lists/*

# requirements-local.txt makes an image that needs no network: it has Whisper and its model (compose.yaml).
ARG REQUIREMENTS=requirements.txt
COPY requirements*.txt /build/
RUN python -m venv --without-pip /venv \
    && pip --python /venv/bin/python install --no-cache-dir --no-compile --no-deps --require-hashes \
        -r "/build/$REQUIREMENTS"
# What no call of ours reaches, 37 MB as a registry counts: symbols for debuggers, the other 400 services of AWS, languages
# that the pages of staff do not speak, the page of ReDoc.
WORKDIR /venv/lib/python3.11/site-packages
RUN find av yaml -name '*.so' -exec strip --strip-unneeded {} + \
    && find botocore/data -mindepth 1 -maxdepth 1 -type d \
        ! -name s3 ! -name sqs ! -name sts -exec rm -r {} + \
    && find . -path '*/locale/*' -name 'django*.[mp]o' ! -path '*/locale/en/*' ! -path '*/locale/es/*' -delete \
    && rm -r drf_spectacular_sidecar/static/drf_spectacular_sidecar/redoc

# The pages' files get names that hold a hash of what is in them; what they were made of goes. Whoever runs the image may
# be any user: all may read.
WORKDIR /app
COPY manage.py gunicorn.conf.py ./
COPY config config
COPY memories memories
ENV MEMORIES_ENV=production MEMORIES_DATA_DIR=/tmp/data DATABASE_URL=postgres://localhost/none
RUN python manage.py collectstatic --no-input \
    && find staticfiles -name '*.map*' -delete \
    && find /venv -path '*/static/*' -delete \
    && chmod -R a+rX /app
COPY deploy/images/precompile.py /build/
RUN PYTHONPYCACHEPREFIX=/pyc python /build/precompile.py

# What changes least comes first.
FROM base AS service
RUN useradd --uid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin memories \
    && install -d -o memories -g memories /data
COPY --from=build /pyc/usr /pyc/usr
COPY --from=build /venv /venv
COPY --from=build /pyc/venv /pyc/venv
COPY --from=build /app /app
COPY --from=build /pyc/app /pyc/app
WORKDIR /app
ENV PATH=/venv/bin:$PATH PYTHONPYCACHEPREFIX=/pyc PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1

# ---- the image itself
FROM service
ENV MEMORIES_DATA_DIR=/data PORT=8000
USER 10001:10001
EXPOSE 8000
# All that it writes; so the rest may be read-only.
VOLUME /data
# The first start of a machine with half a CPU is slow; a worker has no port, and switches this off.
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 CMD ["python", "-m", "config.healthcheck"]
# gunicorn reads gunicorn.conf.py, and PORT by itself; as the first process it gets SIGTERM, and ends what is under way.
CMD ["gunicorn", "config.wsgi"]
ARG RELEASE=""
LABEL org.opencontainers.image.title="memories" \
      org.opencontainers.image.description="The API and the worker of Memories" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.revision="$RELEASE"
ENV MEMORIES_RELEASE=$RELEASE
