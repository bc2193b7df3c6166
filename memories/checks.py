"""System checks: a setting that cannot work is an error at start, not at 3 a.m."""

from django.core.checks import Tags, register  # noqa: F401
