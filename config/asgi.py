"""The same service for an ASGI server, and for Lambda."""

import os
from typing import Any

from django.core.asgi import get_asgi_application
from django.core.signals import request_finished
from django.db import connections

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

application = get_asgi_application()


def close_connections(**kwargs: Any) -> None:
    """Each request has a thread of its own here: a connection that outlived it would be left behind, not used again."""
    connections.close_all()


request_finished.connect(close_connections)
