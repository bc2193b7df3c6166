"""PostgreSQL, whose password may be rotated while we run: a refused one is read anew from where the secrets lie.

Without this, whatever was started before a rotation would have to be started again: a function that AWS keeps warm for
hours, or one that a failed release moved back to.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db.backends.postgresql import base

from config.env import Env

REFUSED = "password authentication failed"


class DatabaseWrapper(base.DatabaseWrapper):
    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        try:
            return super().get_new_connection(conn_params)
        except self.Database.OperationalError as error:
            if REFUSED not in str(error):
                raise
        self.settings_dict["PASSWORD"] = current_password()  # of all connections of this process
        return super().get_new_connection({**conn_params, "password": self.settings_dict["PASSWORD"]})


def current_password() -> str:
    env = Env()
    env.read_secrets(settings.MEMORIES_SECRETS_PATH, region=settings.AWS_REGION, endpoint_url=settings.AWS_ENDPOINT_URL)
    password: str = env.db_url("DATABASE_URL")["PASSWORD"]
    return password
