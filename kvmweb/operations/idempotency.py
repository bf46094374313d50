"""A POST that may be repeated: the same Idempotency-Key gets the same answer.

The key's row, what the request does and the answer are one transaction. Asked twenty
times at once, the database lets one in; the others wait for its commit and read the
answer. A crash leaves neither the key nor half an operation.
"""

import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from http import HTTPStatus

from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from kvmweb import doors
from kvmweb.accounts.models import User
from kvmweb.errors import AppError, Conflict, Invalid
from kvmweb.operations.models import IdempotencyKey

Answer = Callable[[HttpRequest], HttpResponse]

HEADER = "Idempotency-Key"
KEPT = timedelta(days=1)
_LONGEST = 200
_TRIES = 25  # the first may be refused, and then its key is free for the next


class Idempotency:
    """Middleware, inside of who asks: minds the Idempotency-Key of the API's POSTs.

    Only answers that did something (2xx) are kept; after any other the key is free
    again. An answer with `Cache-Control: no-store` holds a secret: it is not kept, and
    repeating its key is refused.
    """

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        key = request.headers.get(HEADER)
        user = request.user
        repeatable = request.method == "POST" and doors.is_api(request)
        if key is None or not repeatable or not isinstance(user, User):
            return self.get_response(request)
        try:
            return self._once(request, user, _checked(key))
        except AppError as error:
            return doors.problem(error)

    def _once(self, request: HttpRequest, user: User, key: str) -> HttpResponse:
        digest = _digest(request)
        for _ in range(_TRIES):
            with transaction.atomic():
                row = _new(user, key, digest)
                if row is not None:
                    return self._answer(request, row)
            first = IdempotencyKey.objects.filter(user=user, key=key).first()
            if first is not None:
                return _repeated(first, digest)
        message = "The same request is being answered, and refused, over and over."
        raise Conflict(message, hint="Ask again in a moment.")

    def _answer(self, request: HttpRequest, row: IdempotencyKey) -> HttpResponse:
        response = self.get_response(request)
        if response.status_code >= HTTPStatus.MULTIPLE_CHOICES:
            row.delete()
            return response
        row.status = response.status_code
        row.location = response.headers.get("Location", "")
        if "no-store" not in response.headers.get("Cache-Control", ""):
            row.body = json.loads(response.content or b"null")
        row.save()
        return response


def forget() -> None:
    """Drop keys that are a day old."""
    IdempotencyKey.objects.filter(at__lt=timezone.now() - KEPT).delete()


def _checked(key: str) -> str:
    if not 0 < len(key) <= _LONGEST or not key.isprintable():
        sentence = f"Give 1 to {_LONGEST} printable characters."
        message = f"The {HEADER} is not valid: {sentence}"
        raise Invalid(message, errors={HEADER: [sentence]})
    return key


def _digest(request: HttpRequest) -> str:
    asked = f"{request.method} {request.get_full_path()}\n".encode()
    return hashlib.sha256(asked + request.body).hexdigest()


def _new(user: User, key: str, digest: str) -> IdempotencyKey | None:
    """The row of a key that is new; None when it was there, or came first just now."""
    try:
        with transaction.atomic():
            return IdempotencyKey.objects.create(
                user=user, key=key, request_digest=digest
            )
    except IntegrityError:
        return None


def _repeated(row: IdempotencyKey, digest: str) -> HttpResponse:
    if row.request_digest != digest:
        sentence = "This key was used for another request."
        raise Invalid(sentence, errors={HEADER: [sentence]})
    if row.body is None:
        message = "This request was answered already; its answer held a secret."
        raise Conflict(message, hint="Ask again with a new key.")
    response = HttpResponse(
        json.dumps(row.body),
        status=row.status,
        content_type="application/json",
        headers={"Idempotency-Replayed": "true"},
    )
    if row.location:
        response.headers["Location"] = row.location
    return response
