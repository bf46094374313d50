"""Prints a line for each page named: its address and how many queries it costs an admin."""

import os
import sys

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kvmweb.settings")
django.setup()

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from kvmweb.accounts.models import User


def main(pages: list[str]) -> None:
    """Ask each page twice and count the second time, when nothing is new any more."""
    client = Client(headers={"host": "127.0.0.1"})
    client.force_login(User.objects.get(username="admin"))
    for page in pages:
        client.get(page)
        with CaptureQueriesContext(connection) as queries:
            client.get(page)
        print(page, len(queries))


if __name__ == "__main__":
    main(sys.argv[1:])
