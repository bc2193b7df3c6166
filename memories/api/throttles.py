"""How often somebody may try to log in."""

from __future__ import annotations

import hashlib

from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle
from rest_framework.views import APIView


class LoginAddressThrottle(SimpleRateThrottle):
    """So many tries from one address: one machine that tries many names."""

    scope = "login"

    def get_cache_key(self, request: Request, view: APIView) -> str:
        return f"login_address_{self.get_ident(request)}"


class LoginNameThrottle(SimpleRateThrottle):
    """So many tries for one name: many machines that try one."""

    scope = "login"

    def get_cache_key(self, request: Request, view: APIView) -> str:
        name = request.data.get("username") if isinstance(request.data, dict) else None
        # Hashed: a cache takes no long or odd keys, and names are nobody's business.
        return f"login_name_{hashlib.sha256(str(name).casefold().encode(errors='replace')).hexdigest()}"
