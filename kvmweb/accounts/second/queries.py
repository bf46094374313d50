"""What somebody has besides a password."""

from dataclasses import dataclass

from kvmweb.accounts.models import User
from kvmweb.accounts.second import half
from kvmweb.accounts.second.models import App, Passkey, RecoveryCode


@dataclass(frozen=True, slots=True)
class Factors:
    """Somebody's factors, and whether they must have one."""

    app: App | None
    passkeys: list[Passkey]
    codes_left: int
    required: bool

    @property
    def any(self) -> bool:
        """Whether there is one."""
        return bool(self.app or self.passkeys)

    @property
    def last(self) -> bool:
        """Whether one must have one, and there is no other."""
        return self.required and len(self.passkeys) + bool(self.app) == 1


def factors(user: User) -> Factors:
    """What they have; three queries."""
    return Factors(
        app=App.objects.filter(user=user).first(),
        passkeys=list(Passkey.objects.filter(user=user)),
        codes_left=RecoveryCode.objects.filter(user=user, used_at=None).count(),
        required=half.required(user),
    )
