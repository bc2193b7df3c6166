"""The calls on memories."""

from __future__ import annotations

from rest_framework.viewsets import GenericViewSet

from memories.api.serializers import MemorySerializer
from memories.models import Memory


class MemoryViewSet(GenericViewSet[Memory]):
    serializer_class = MemorySerializer
