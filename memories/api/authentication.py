"""Who asks: a bearer token of a device (knox keeps its hash only)."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from knox.auth import TokenAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from memories.models import DeviceToken


class BearerAuthentication(TokenAuthentication):  # type: ignore[misc]
    """`Authorization: Bearer <token>`, at the cost of one query."""

    def authenticate(self, request: Request) -> Any:
        """(user, token), or None where the request has no bearer token."""
        try:
            return super().authenticate(request)
        except (AuthenticationFailed, UnicodeError) as error:  # bytes that no token has; knox words each case its way
            raise AuthenticationFailed from error

    def authenticate_credentials(self, token: bytes) -> Any:
        if not token.isalnum():  # a NUL among them is more than PostgreSQL can be asked about
            raise AuthenticationFailed
        return super().authenticate_credentials(token)

    def _cleanup_token(self, auth_token: DeviceToken) -> bool:
        """Whether this token has expired. The sweep deletes it: knox would look through all of the user's here."""
        return auth_token.expiry is not None and auth_token.expiry <= timezone.now()
