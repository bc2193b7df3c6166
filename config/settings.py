"""The one settings file. Every environment variable is read here and nowhere else; .env.example lists them.

Without any variable the service runs on one machine: SQLite, a folder for the audio, the table as the queue, Whisper on
the CPU. MEMORIES_ENV=production forbids these fallbacks (memories/checks.py names each one that is missing); one
that is wanted there is said by an empty value, such as `SQS_QUEUE_URL=`.
"""

import logging
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from config.env import Env

BASE_DIR = Path(__file__).resolve().parent.parent

env = Env()
env.read_env(BASE_DIR / ".env")  # where there is one; the environment wins

AWS_REGION = env.str("AWS_REGION", "us-east-1")
AWS_ENDPOINT_URL = env.str("AWS_ENDPOINT_URL", "") or None
MEMORIES_SECRETS_PATH = env.str("MEMORIES_SECRETS_PATH", "")
if MEMORIES_SECRETS_PATH:
    env.read_secrets(MEMORIES_SECRETS_PATH, region=AWS_REGION, endpoint_url=AWS_ENDPOINT_URL)

# --- where we run --------------------------------------------------------------------------------------------------

MEMORIES_ENV = env.str("MEMORIES_ENV", "development")
PRODUCTION = MEMORIES_ENV == "production"
MEMORIES_RELEASE = env.str("MEMORIES_RELEASE", "")  # the commit that an image was built from; /healthz says it
DEBUG = env.bool("DJANGO_DEBUG", False)
INSECURE_KEY = "django-insecure-for-one-machine-only-set-DJANGO_SECRET_KEY-before-others-can-reach-it"
SECRET_KEY = env.str("DJANGO_SECRET_KEY", INSECURE_KEY)
ALLOWED_HOSTS = env.list("DJANGO_ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("DJANGO_CSRF_TRUSTED_ORIGINS", default=[])
DATA_DIR = Path(env.str("MEMORIES_DATA_DIR", str(BASE_DIR / "data")))
try:
    (DATA_DIR / "incoming").mkdir(
        parents=True, exist_ok=True
    )  # clone, install, run: nobody should have to make folders
except OSError as error:
    raise ImproperlyConfigured(f"MEMORIES_DATA_DIR is {DATA_DIR}, and cannot be a folder: {error}.") from error

# What has no place in production. Each entry: the variable that is missing.
FALLBACKS = [
    name
    for name in (
        "DJANGO_SECRET_KEY",
        "DJANGO_ALLOWED_HOSTS",
        "DATABASE_URL",
        "AWS_STORAGE_BUCKET_NAME",
        "SQS_QUEUE_URL",
        "SQS_DLQ_URL",
        "OPENAI_API_KEY",
    )
    if name not in env
]

# --- the application -----------------------------------------------------------------------------------------------

INSTALLED_APPS = [
    "memories",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "knox",
    "drf_spectacular",
    "drf_spectacular_sidecar",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True

# --- what the service stands on ------------------------------------------------------------------------------------

DATABASES: dict[str, Any] = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": DATA_DIR / "db.sqlite3"}}
if env.str("DATABASE_URL", ""):
    DATABASES["default"] = env.db_url("DATABASE_URL")
_database = DATABASES["default"]
if MEMORIES_SECRETS_PATH and "postgresql" in _database["ENGINE"]:
    _database["ENGINE"] = "config.postgresql"
_database["CONN_MAX_AGE"] = 60
_database["CONN_HEALTH_CHECKS"] = True  # a database that went away and came back costs no request
if "sqlite" in _database["ENGINE"]:
    _database["OPTIONS"] = {
        # IMMEDIATE: a transaction that reads and then writes must not find that somebody wrote in between.
        # FULL: what was accepted survives a power cut.
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
    }
else:
    # A host that does not answer costs seconds, not the two minutes of TCP; DATABASE_URL may say otherwise.
    _database["OPTIONS"] = {"connect_timeout": 10} | _database.get("OPTIONS", {})

AWS_STORAGE_BUCKET_NAME = env.str("AWS_STORAGE_BUCKET_NAME", "")
_audio: dict[str, Any] = {
    "BACKEND": "memories.storage.DurableFileSystemStorage",
    "OPTIONS": {"location": DATA_DIR / "audio", "file_permissions_mode": 0o600},
}
if AWS_STORAGE_BUCKET_NAME:
    _audio = {
        "BACKEND": "memories.storage.s3.PrivateS3Storage",
        "OPTIONS": {
            "bucket_name": AWS_STORAGE_BUCKET_NAME,
            "region_name": AWS_REGION,
            "endpoint_url": AWS_ENDPOINT_URL,
        },
    }
STORAGES: dict[str, Any] = {
    "default": _audio,
    # At home nobody should have to run collectstatic; in production the names are hashed and cached for ever.
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if PRODUCTION
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
WHITENOISE_USE_FINDERS = not PRODUCTION
if not PRODUCTION:
    STATIC_ROOT.mkdir(exist_ok=True)  # else WhiteNoise warns at each start

CACHES: dict[str, Any] = {
    "default": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        # It holds who tried to log in, and how often (throttles): whoever sends other names must not push that out.
        "OPTIONS": {"MAX_ENTRIES": 10_000},
    }
}

MEMORIES_QUEUE: dict[str, Any] = {"BACKEND": "memories.queues.database.DatabaseQueue", "OPTIONS": {}}
SQS_QUEUE_URL = env.str("SQS_QUEUE_URL", "")
SQS_DLQ_URL = env.str("SQS_DLQ_URL", "")
if SQS_QUEUE_URL:
    MEMORIES_QUEUE = {
        "BACKEND": "memories.queues.sqs.SQSQueue",
        "OPTIONS": {
            "url": SQS_QUEUE_URL,
            "dlq_url": SQS_DLQ_URL,
            "region": AWS_REGION,
            "endpoint_url": AWS_ENDPOINT_URL,
        },
    }

MEMORIES_TRANSCRIBER: dict[str, Any] = {
    "BACKEND": "memories.transcribers.whisper.WhisperTranscriber",
    "OPTIONS": {"model": env.str("WHISPER_MODEL", "")},
}
MEMORIES_ANALYZER: dict[str, Any] = {"BACKEND": "memories.analyzers.offline.OfflineAnalyzer", "OPTIONS": {}}
OPENAI_API_KEY = env.str("OPENAI_API_KEY", "")
OPENAI_BASE_URL = env.str("OPENAI_BASE_URL", "")  # of any server that speaks OpenAI's protocol
OPENAI_TIMEOUT = env.float("OPENAI_TIMEOUT", 120.0)  # seconds for one call; a Lambda starts none that could not end
if OPENAI_API_KEY or OPENAI_BASE_URL:
    _openai = {"api_key": OPENAI_API_KEY, "base_url": OPENAI_BASE_URL, "timeout": OPENAI_TIMEOUT}
    MEMORIES_TRANSCRIBER = {
        "BACKEND": "memories.transcribers.openai.OpenAITranscriber",
        "OPTIONS": {"model": env.str("OPENAI_TRANSCRIPTION_MODEL", "gpt-transcribe"), **_openai},
    }
    MEMORIES_ANALYZER = {
        "BACKEND": "memories.analyzers.openai.OpenAIAnalyzer",
        "OPTIONS": {"model": env.str("OPENAI_ANALYSIS_MODEL", "gpt-5.4-mini"), **_openai},
    }

REDIS_ENABLED = env.bool("REDIS_ENABLED", False)  # GET events, on a WSGI server; without it, clients poll
REDIS_URL = env.str("REDIS_URL", "redis://localhost:6379/0")

# --- limits --------------------------------------------------------------------------------------------------------

AUDIO_RETENTION_DAYS = env.int("AUDIO_RETENTION_DAYS", 90)
MAX_UPLOAD_MB = env.int("MAX_UPLOAD_MB", 500)
MEMORIES_MAX_AUDIO_HOURS = env.float("MEMORIES_MAX_AUDIO_HOURS", 4.0)  # decoded, whatever the header says
MEMORIES_QUOTA_GB = env.float("MEMORIES_QUOTA_GB", 20.0)  # audio of one person
MEMORIES_UPLOADS_PER_HOUR = env.int("MEMORIES_UPLOADS_PER_HOUR", 120)  # of one person
MEMORIES_TOKEN_DAYS = env.int("MEMORIES_TOKEN_DAYS", 90)
MEMORIES_UPLOAD_MINUTES = env.int("MEMORIES_UPLOAD_MINUTES", 60)  # the life of the addresses that `POST uploads` gives
MEMORIES_UPLOAD_SINGLE_MB = 64  # an upload up to this goes in one request, a larger one in parts
MEMORIES_UPLOAD_PART_MB = 16  # S3 takes no parts below 5
MEMORIES_DAILY_BUDGET_USD = env.float("MEMORIES_DAILY_BUDGET_USD", 0.0)  # for everybody together; 0: no cap
MEMORIES_DAILY_BUDGET_USD_PER_USER = env.float("MEMORIES_DAILY_BUDGET_USD_PER_USER", 0.0)
MEMORIES_MAX_WAITERS = env.int("MEMORIES_MAX_WAITERS", 48)  # requests with ?wait=, and streams of events
MEMORIES_HEARTBEAT_SECONDS = 15.0  # of a stream of events: how soon a client that went away frees its thread
MEMORIES_STREAM_SECONDS = 300.0  # then it ends and the client comes again, with a token that still is good

# --- the course of a job -------------------------------------------------------------------------------------------

MEMORIES_MAX_ATTEMPTS = 3  # at one stage
MEMORIES_LEASE_SECONDS = env.int("MEMORIES_LEASE_SECONDS", 300)  # longer than any step that reports no progress
MEMORIES_RETRY_SECONDS = env.float("MEMORIES_RETRY_SECONDS", 30.0)  # before the second attempt; four times that later

# --- HTTP ----------------------------------------------------------------------------------------------------------

MEMORIES_PROXIES = env.int("MEMORIES_PROXIES", 1 if PRODUCTION else 0)  # in front of us
# Uploads go to disk as they arrive, never to memory (api/uploadhandlers.py), beside the place they will lie in.
FILE_UPLOAD_HANDLERS = ["memories.api.uploadhandlers.RecordingUploadHandler"]
FILE_UPLOAD_TEMP_DIR = DATA_DIR / "incoming"
FILE_UPLOAD_PERMISSIONS = 0o600

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "memories.api.authentication.BearerAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["memories.api.parsers.BoundedJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_THROTTLE_CLASSES": ["rest_framework.throttling.UserRateThrottle"],
    "DEFAULT_THROTTLE_RATES": {
        "user": env.str("MEMORIES_API_RATE", "1200/min"),
        "login": env.str("MEMORIES_LOGIN_RATE", "10/min"),  # of one address and of one name
    },
    # Who asks, for throttles: what so many proxies in front of us say. What the client itself says counts for nothing.
    "NUM_PROXIES": MEMORIES_PROXIES,
    "EXCEPTION_HANDLER": "memories.api.problems.problem_response",
    "URL_FORMAT_OVERRIDE": None,  # ?format= is the transcript's own
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "Memories",
    "DESCRIPTION": "A person speaks, and the product remembers.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,  # the values say it themselves
    "ENUM_NAME_OVERRIDES": {
        "StatusEnum": "memories.models.Status.values",
        "StageEnum": "memories.models.Stage.values",
        "AliveEnum": ["ok"],
        "ReadyEnum": "memories.api.health.CHOICES",
    },
}
KNOX_TOKEN_MODEL = "memories.DeviceToken"  # noqa: S105 (the name of a model)
MIGRATION_MODULES = {"knox": None}  # its migrations would make a table for the model that ours replaces
REST_KNOX = {"AUTH_HEADER_PREFIX": "Bearer", "TOKEN_TTL": timedelta(days=MEMORIES_TOKEN_DAYS)}

SECURE_CONTENT_TYPE_NOSNIFF = True
X_FRAME_OPTIONS = "DENY"
if PRODUCTION:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")  # set by the TLS proxy in front of us
    SECURE_SSL_REDIRECT = True
    SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]  # asked from inside, without TLS
    SECURE_HSTS_SECONDS = 365 * 24 * 3600
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True

# --- logs: never what was said -------------------------------------------------------------------------------------

LOG_LEVELS = logging.getLevelNamesMapping()
MEMORIES_LOG_LEVEL = env.str("MEMORIES_LOG_LEVEL", "INFO").upper()
LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"job": {"()": "memories.logs.JobFilter"}},
    "formatters": {
        "readable": {"format": "%(asctime)s %(levelname)-7s %(name)s: %(message)s%(job)s"},
        "json": {
            "()": "pythonjsonlogger.json.JsonFormatter",
            "format": "%(asctime)s %(levelname)s %(name)s %(message)s %(memory_id)s %(attempt)s %(request_id)s",
        },
    },
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "stream": sys.stderr,
            "filters": ["job"],
            "formatter": "json" if PRODUCTION else "readable",
        }
    },
    "root": {"handlers": ["console"], "level": MEMORIES_LOG_LEVEL if MEMORIES_LOG_LEVEL in LOG_LEVELS else "INFO"},
    "loggers": {
        "django.request": {"level": "ERROR"},  # a 404 is the client's affair
        "botocore": {"level": "WARNING"},  # where it found credentials, once for each client
        "faster_whisper": {"level": "WARNING"},  # several lines for each clip
        "httpx2": {"level": "WARNING"},  # a line for each call to OpenAI says nothing new
    },
}
