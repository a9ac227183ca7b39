"""Django, whose settings are one a process: a project of a few routes for as long as it is asked.

Nothing but this file configures Django.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import django
from django.conf import settings
from django.test import override_settings

settings.configure(
    SECRET_KEY="tested",
    ALLOWED_HOSTS=["*"],
    MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
    ROOT_URLCONF=(),
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates"}],
    LOGGING_CONFIG=None,
    USE_TZ=True,
)
django.setup()


@contextmanager
def project(*routes: Any, **others: Any) -> Iterator[None]:
    """These URL patterns, and other settings, are the project's."""
    with override_settings(**{"ROOT_URLCONF": routes, **others}):
        yield
