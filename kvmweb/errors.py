"""What can go wrong, as sentences. Every error a person may meet is one of these.

Raise the kind with one full sentence that names the thing; `hint` says what to try.
The doors (pages, API, sockets, workers) turn the kind into their own signs:
`status` is the HTTP one, `code` the word that scripts compare.
"""


class AppError(Exception):
    """Something a person should be told. Never raised itself, only its kinds."""

    status = 500
    code = "error"
    title = "Something went wrong"

    def __init__(self, detail: str, *, hint: str = "") -> None:
        super().__init__(detail)
        self.detail = detail
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.detail} {self.hint}".strip()

    def __reduce__(self) -> tuple[object, ...]:
        return _revived, (type(self), self.__dict__.copy())


def _revived(kind: type[AppError], state: dict[str, object]) -> AppError:
    """The same error on the other side of a process boundary, whatever its kind takes."""
    error = kind.__new__(kind)
    error.__dict__.update(state)
    error.args = (state["detail"],)
    return error


class NotKnown(AppError):
    """Nobody is signed in, or the token means nobody."""

    status, code, title = 401, "not_known", "Not signed in"


class Forbidden(AppError):
    """They may see it, but not do this."""

    status, code, title = 403, "forbidden", "Not allowed"


class NotFound(AppError):
    """It is not there, or not theirs: both read the same."""

    status, code, title = 404, "not_found", "Not found"

    def __init__(self, detail: str, *, hint: str = "", hidden: str = "") -> None:
        super().__init__(detail, hint=hint)
        self.hidden = hidden  # the topic of what is there but not theirs; for the audit


class Conflict(AppError):
    """It is busy, or its state does not allow this; says with what."""

    status, code, title = 409, "conflict", "Busy or conflicting"

    def __init__(
        self, detail: str, *, hint: str = "", operation: str = "", field: str = ""
    ) -> None:
        super().__init__(detail, hint=hint)
        self.operation = operation  # the id of the one that is in the way
        self.errors = {field: [str(self)]} if field else {}  # for a name that is taken


class Invalid(AppError):
    """Bad input; `errors` maps a field's name to its sentences."""

    status, code, title = 422, "invalid", "Not valid"

    def __init__(
        self, detail: str, *, errors: dict[str, list[str]] | None = None, hint: str = ""
    ) -> None:
        super().__init__(detail, hint=hint)
        self.errors = errors or {}


class TooMany(AppError):
    """Asked too often; `retry_after_s` says when to come back."""

    status, code, title = 429, "too_many", "Too many attempts"

    def __init__(self, detail: str, *, retry_after_s: int) -> None:
        super().__init__(detail)
        self.retry_after_s = retry_after_s


class Unavailable(AppError):
    """A part of the product itself (Redis, a worker) is not there now."""

    status, code, title = 503, "unavailable", "Not available now"


class HostError(AppError):
    """The hypervisor refused or failed; the sentence says what it said."""

    status, code, title = 409, "host_error", "The host refused"


class HostUnreachable(HostError):
    """No connection: refused, unknown name, wrong certificate or key, no permission."""

    code, title = "host_unreachable", "The host cannot be reached"


class HostTimeout(HostUnreachable):
    """The host took the call and did not answer by our deadline. What came true is unknown."""

    code, title = "host_timeout", "The host did not answer in time"


class Unsupported(HostError):
    """This libvirt, QEMU or driver cannot do it."""

    code, title = "unsupported", "The host cannot do this"


class Cancelled(AppError):
    """A person asked the operation to stop, and it did."""

    status, code, title = 409, "cancelled", "Cancelled"
