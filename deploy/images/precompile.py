"""Compiles what the service imports, in the build of an image: python precompile.py [MODULE ...]

The vendor's Python comes without .pyc files, and a container that may write nowhere would compile the same modules at
each start, for seconds. To compile all that is installed costs 16 MB of an image, and much of that is never imported.
So: import what our modules name, at their top or within a function, use what is loaded only when used, and compile what
is in memory then. Where the files go says PYTHONPYCACHEPREFIX.
"""

from __future__ import annotations

import ast
import compileall
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from py_compile import PycInvalidationMode

GUNICORN = ("gunicorn.app.wsgiapp", "gunicorn.workers.gthread", "config.healthcheck")
LAZY = (  # of the openai SDK: imported by the first call
    "openai.resources.audio",
    "openai.resources.chat",
    "openai.resources.responses",
)
DATABASES = ("django.db.backends.postgresql.base", "django.db.backends.sqlite3.base")
SERVICES = ("s3", "sqs")
PAGES = ("/healthz", "/api/docs", "/api/schema", "/admin/login/")


def named(root: Path) -> Iterator[str]:
    """Our modules in this folder, and all that they import."""
    for path in [*root.glob("config/**/*.py"), *root.glob("memories/**/*.py")]:
        yield ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Import):
                yield from (name.name for name in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield node.module


def use() -> None:
    """What imports as it goes: clients of AWS, URLs, pages."""
    from botocore.session import get_session
    from django.test import Client

    for service in SERVICES:
        get_session().create_client(service, region_name="us-east-1", aws_access_key_id="", aws_secret_access_key="")
    for page in PAGES:
        Client(headers={"host": "localhost"}, raise_request_exception=False).get(page, secure=True)


def main(modules: list[str]) -> None:
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    sys.path.insert(0, str(Path.cwd()))
    django.setup()
    for name in (*sorted(set(named(Path.cwd()))), *GUNICORN, *LAZY, *DATABASES, *modules):
        with suppress(ImportError):  # of another kind of image: offline, Lambda
            import_module(name)
    use()
    files = {module.__file__ for module in list(sys.modules.values()) if getattr(module, "__file__", None)}
    sources = sorted(str(file) for file in files if str(file).endswith(".py"))
    for source in sources:
        # unchecked: what lies in an image does not change, and a look at each source is saved at each start
        if not compileall.compile_file(source, quiet=1, invalidation_mode=PycInvalidationMode.UNCHECKED_HASH):
            raise SystemExit(f"{source} cannot be compiled.")
    print(f"{len(sources)} modules compiled")


if __name__ == "__main__":
    main(sys.argv[1:])
