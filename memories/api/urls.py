from django.urls import path
from rest_framework.routers import SimpleRouter

from memories.api.events import EventsView
from memories.api.tokens import TokenView
from memories.api.uploads import UploadPartView, UploadsView, UploadView
from memories.api.views import MemoryViewSet

router = SimpleRouter(trailing_slash=False)
router.register("memories", MemoryViewSet, basename="memory")

urlpatterns = [
    path("auth/token", TokenView.as_view(), name="token"),
    path("events", EventsView.as_view(), name="events"),
    path("uploads", UploadsView.as_view(), name="uploads"),
    path("uploads/<uuid:pk>", UploadView.as_view(), name="upload"),
    path("uploads/<uuid:pk>/parts/<int:number>", UploadPartView.as_view(), name="upload-part"),
    *router.urls,
]
