from django.contrib import admin
from django.urls import include, path, re_path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView

from memories.api import health, problems
from memories.api.throttles import guard_login

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="docs")),
    path("api/v1/", include("memories.api.urls")),
    path("api/schema", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs", SpectacularSwaggerView.as_view(url_name="schema"), name="docs"),
    path("api/docs/", RedirectView.as_view(pattern_name="docs")),
    path("api/docs/problems", problems.catalogue, name="problems"),
    re_path(r"^api/", problems.unknown_address),
    path("healthz", health.AliveView.as_view(), name="healthz"),
    path("readyz", health.ReadyView.as_view(), name="readyz"),
    path("admin/login/", guard_login(admin.site.login)),
    path("admin/", admin.site.urls),
]

handler400 = "memories.api.problems.bad_request"
handler403 = "memories.api.problems.permission_denied"
handler500 = "memories.api.problems.server_error"
