"""Bearer tokens: one for each device, given for a password, revoked by itself."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import authenticate
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import ParseError, UnsupportedMediaType, ValidationError
from rest_framework.permissions import BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from memories.api import problems
from memories.api.authentication import BearerAuthentication
from memories.api.serializers import StrictSerializer
from memories.api.throttles import LOGIN_THROTTLES
from memories.errors import BadCredentials
from memories.models import DeviceToken


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = BearerAuthentication
    name = "bearer"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        return {"type": "http", "scheme": "bearer", "description": "A token from POST /api/v1/auth/token."}


class LoginRequest(StrictSerializer):
    """Who logs in, and on which device."""

    username = serializers.CharField(max_length=150)
    password = serializers.CharField(max_length=1000, trim_whitespace=False, style={"input_type": "password"})
    device = serializers.CharField(
        max_length=100, required=False, default="", allow_blank=True, help_text="For its owner to tell tokens apart."
    )


class TokenSerializer(serializers.Serializer[Any]):
    token = serializers.CharField(help_text="Shown this once; the service keeps a hash only.")
    expires_at = serializers.DateTimeField()


class TokenView(APIView):
    def get_authenticators(self) -> list[BaseAuthentication]:
        # To log in nobody has to be logged in; and a session is no token that could be revoked.
        return [] if self._logs_in() else [BearerAuthentication()]

    def get_permissions(self) -> list[BasePermission]:
        return [] if self._logs_in() else [IsAuthenticated()]

    def get_throttles(self) -> list[BaseThrottle]:
        return [throttle() for throttle in LOGIN_THROTTLES] if self._logs_in() else super().get_throttles()

    def _logs_in(self) -> bool:
        return self.request is not None and self.request.method == "POST"

    @extend_schema(
        operation_id="auth_token_create",
        summary="Log in",
        request=LoginRequest,
        auth=[],
        examples=[
            OpenApiExample("A phone", {"username": "ada", "password": "…", "device": "phone"}, request_only=True),
            OpenApiExample(
                "A token",
                {"token": "3f9a…", "expires_at": "2026-08-05T09:30:12Z"},
                response_only=True,
                status_codes=[201],
            ),
        ],
        responses={
            201: TokenSerializer,
            **problems.responses(ParseError, ValidationError, UnsupportedMediaType, BadCredentials),
        },
    )
    def post(self, request: Request) -> Response:
        """A token for this device. An unknown name and a wrong password get the same answer."""
        body = LoginRequest(data=request.data)
        body.is_valid(raise_exception=True)
        login = body.validated_data
        user = authenticate(request._request, username=login["username"], password=login["password"])
        if user is None:
            raise BadCredentials
        token, secret = DeviceToken.objects.create(user=user, device=login["device"])
        shown = TokenSerializer({"token": secret, "expires_at": token.expiry})
        return Response(shown.data, status=201, headers={"Cache-Control": "no-store"})

    @extend_schema(
        operation_id="auth_token_destroy",
        summary="Log out",
        responses={204: OpenApiResponse(description="Revoked."), **problems.responses()},
    )
    def delete(self, request: Request) -> Response:
        """Revoke the token that this request carries."""
        request.auth.delete()
        return Response(status=204)
