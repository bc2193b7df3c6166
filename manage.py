#!/usr/bin/env python
"""Django's command line: `./manage.py help` lists what the service can do."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:  # a setting that is wrong: a sentence says more than a traceback
        sys.exit(str(error))


if __name__ == "__main__":
    main()
