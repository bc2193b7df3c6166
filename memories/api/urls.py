from django.urls import path
from rest_framework.routers import SimpleRouter

from memories.api.tokens import TokenView
from memories.api.views import MemoryViewSet

router = SimpleRouter(trailing_slash=False)
router.register("memories", MemoryViewSet, basename="memory")

urlpatterns = [path("auth/token", TokenView.as_view(), name="token"), *router.urls]
