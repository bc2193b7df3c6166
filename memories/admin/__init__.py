"""What staff see: each job, why it stands where it stands, and how to set it going again. Content by permission."""

from django.contrib import admin

from memories.admin import jobs, memory, money, tokens, users  # noqa: F401  (each registers its models)

admin.site.site_header = admin.site.site_title = "Memories: for staff"
admin.site.enable_nav_sidebar = False  # the lists need its room
