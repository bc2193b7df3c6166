"""How often somebody may try to log in, over the API and by the admin's form together."""

from __future__ import annotations

import hashlib
import math
import unicodedata
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle


class LoginAddressThrottle(SimpleRateThrottle):
    """So many tries from one address: one machine that tries many names."""

    scope = "login"

    def get_cache_key(self, request: Request | HttpRequest, view: Any) -> str:
        return f"login_address_{self.get_ident(request)}"  # type: ignore[arg-type]  # it reads headers only


class LoginNameThrottle(SimpleRateThrottle):
    """So many tries for one name: many machines that try one."""

    scope = "login"

    def get_cache_key(self, request: Request | HttpRequest, view: Any) -> str:
        data = request.data if isinstance(request, Request) else request.POST
        name = data.get("username") if isinstance(data, dict) else None
        # What a login takes for one name is one here: the API strips it, and the form brings wide letters to size.
        folded = unicodedata.normalize("NFKC", str(name)).strip().casefold()
        # Hashed: a cache takes no long or odd keys, and names are nobody's business.
        return f"login_name_{hashlib.sha256(folded.encode(errors='replace')).hexdigest()}"


LOGIN_THROTTLES: tuple[type[SimpleRateThrottle], ...] = (LoginAddressThrottle, LoginNameThrottle)


def guard_login(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """A Django view that takes `username` and `password` in a form; over the rate it is not asked."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        tried = [throttle() for throttle in LOGIN_THROTTLES] if request.method == "POST" else []
        refused = [throttle for throttle in tried if not throttle.allow_request(request, view)]  # type: ignore[arg-type]
        if not refused:
            return view(request, *args, **kwargs)
        wait = math.ceil(max(throttle.wait() or 1 for throttle in refused))
        page = render(request, "429.html", {"wait": wait}, status=429)
        page["Retry-After"] = str(wait)
        return page

    return guarded
