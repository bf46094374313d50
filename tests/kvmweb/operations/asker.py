"""A process like a web process, for tests: does what it is told by lines of JSON.

Each line is [function, arguments]; the answer is one line, {"ok": …} or {"error": …}.
"""

import json
import sys
import time
from typing import Any
from uuid import UUID

import django

django.setup()

from django.db import connection

from kvmweb.accounts.models import AuditEntry, User
from kvmweb.celery import app
from kvmweb.errors import AppError
from kvmweb.operations import queries, services
from kvmweb.operations.json import operation_json
from kvmweb.operations.models import Operation
from tests.kvmweb.operations import kinds  # noqa: F401  declares its kinds


def submit(kind: str, guest: str | None = None, **rest: Any) -> dict[str, Any]:
    """Ask for an operation; also says how long asking took."""
    user, _ = User.objects.get_or_create(username="ada", defaults={"role": "admin"})
    begun = time.monotonic()
    asked = services.submit(kind, by=user, guest=UUID(guest) if guest else None, **rest)
    return operation_json(asked) | {"took_s": time.monotonic() - begun}


def show(pk: str) -> dict[str, Any]:
    """The operation, its log, and the outcomes the audit record has of it."""
    operation = Operation.objects.get(pk=pk)
    rows = AuditEntry.objects.filter(details__operation=pk).order_by("pk")
    return operation_json(operation) | {
        "log": [line.message for line in queries.log(operation)],
        "audit": [row.outcome for row in rows],
        "attempts": operation.attempts,
        "worker": operation.worker,
    }


def cancel(pk: str) -> dict[str, Any]:
    """Ask for its end."""
    user = User.objects.get(username="ada")
    return operation_json(services.cancel(Operation.objects.get(pk=pk), by=user))


def deliver(pk: str, times: int) -> None:
    """Send the message as often."""
    for _ in range(times):
        app.send_task("operations.run", [pk], ignore_result=True)


def steal(pk: str) -> None:
    """Make another worker the owner, as a takeover would."""
    Operation.objects.filter(pk=pk).update(worker="thief", attempts=7)


def lock_free(guest: str) -> bool:
    """Whether nothing active is left on the guest."""
    active = Operation.objects.filter(guest=guest, state__in=Operation.ACTIVE)
    return not active.exists()


TOLD = {f.__name__: f for f in (submit, show, cancel, deliver, steal, lock_free)}


def _answer(line: str) -> dict[str, Any]:
    name, arguments = json.loads(line)
    try:
        return {"ok": TOLD[name](**arguments)}
    except AppError as error:
        operation = getattr(error, "operation", "")
        return {"error": error.code, "detail": str(error), "operation": operation}
    finally:
        connection.close()


for told in sys.stdin:
    sys.stdout.write(json.dumps(_answer(told)) + "\n")
    sys.stdout.flush()
