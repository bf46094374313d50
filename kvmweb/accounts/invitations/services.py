"""What can be asked about letters: invite, withdraw, accept; a new password."""

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from kvmweb.accounts import audit, projects, services
from kvmweb.accounts.invitations import links
from kvmweb.accounts.invitations.models import Letter
from kvmweb.accounts.models import Project, User
from kvmweb.accounts.services import Asker, Changes
from kvmweb.accounts.signin import network
from kvmweb.errors import Conflict, NotFound, TooMany

INVITED_FOR = timedelta(days=7)
PASSWORD_FOR = timedelta(hours=1)
WINDOW = timedelta(hours=1)
FREE_FOR_A_MAIL, FREE_FOR_AN_ADDRESS = 3, 20  # letters asked for within the window
MOST_ACCOUNTS = 5  # of one mail address that get a letter each
KEPT = timedelta(days=30)


def invite(
    email: str,
    role: str,
    *,
    by: Asker,
    project: Project | None = None,
    project_role: str = "",
) -> Letter:
    """A letter that lets somebody make their account; an earlier one is good no more.

    Raises Conflict when somebody with this address is here already.
    """
    if User.objects.filter(email__iexact=email).exists():
        sentence = f"Somebody with the address {email} is here already."
        raise Conflict(sentence, field="email")
    with transaction.atomic():
        now = timezone.now()
        earlier = links.open_letters(Letter.Kind.INVITATION)
        earlier.filter(email__iexact=email).update(used_at=now, due_at=None)
        letter = Letter.objects.create(
            kind=Letter.Kind.INVITATION,
            email=email,
            role=role,
            project=project,
            project_role=project_role if project else "",
            by=by.user,
            address=by.address,
            expires_at=now + INVITED_FOR,
        )
        told = {"project": project.name, "as": project_role} if project else {}
        _record("invitation", letter, by, role=role, **told)
    return letter


def withdraw(letter: Letter, *, by: Asker) -> None:
    """Its link is good no more. Raises NotFound when it was used."""
    with transaction.atomic():
        links.take(letter)
        _record("invitation.withdraw", letter, by)


def accept(letter: Letter, username: str, first: Changes, *, address: str) -> User:
    """The new person. Raises NotFound, Invalid for a bad field, Conflict for the name."""
    if letter.by is None or not letter.by.is_active:
        raise NotFound(links.GONE)
    by = Asker(letter.by, address)
    with transaction.atomic():
        links.take(letter)
        wanted = Changes(
            name=first.name,
            email=letter.email,
            role=letter.role,
            password=first.password,
        )
        user = services.add(username, wanted, by=by)
        if letter.project is not None:
            projects.set_member(letter.project, user, letter.project_role, by=by)
        _record("invitation.accept", letter, Asker(user, address))
    return user


def ask_new_password(email: str, address: str) -> None:
    """Have a letter sent to whoever has an account with this mail address.

    It does and says the same whether anybody has. Raises TooMany for an address from
    which very many were asked for.
    """
    now = timezone.now()
    asked = Letter.objects.filter(
        kind=Letter.Kind.PASSWORD, created_at__gt=now - WINDOW
    )
    from_there = asked.filter(address=network(address) or "").count()
    if from_there >= FREE_FOR_AN_ADDRESS:
        raise TooMany(
            "Too many letters were asked for. Wait an hour.", retry_after_s=3600
        )
    tired = asked.filter(email__iexact=email).count() >= FREE_FOR_A_MAIL
    people: list[User | None] = [it for it in _with_password(email) if not tired]
    with transaction.atomic():
        Letter.objects.bulk_create(
            Letter(
                kind=Letter.Kind.PASSWORD,
                email=email,
                user=user,
                address=network(address) or "",
                expires_at=now + PASSWORD_FOR,
                due_at=now if user else None,
            )
            for user in people or [None]
        )
        audit.record_refusal(
            "user.password.ask",
            actor=audit.NOBODY,
            target=email,
            outcome="accepted",
            address=address,
        )


def set_new_password(letter: Letter, password: str, *, address: str) -> User:
    """The person, whose password it is now; their sessions and other links end.

    Raises NotFound when the link is good no more, Invalid for a weak password.
    """
    user = letter.user
    if user is None or not user.is_active:
        raise NotFound(links.GONE)
    with transaction.atomic():
        links.take(letter)
        services.set_own_password(user, password, by=Asker(user, address))
    return user


def forget_old() -> None:
    """Drop letters that are over for a month."""
    Letter.objects.filter(expires_at__lt=timezone.now() - KEPT).delete()


def _with_password(email: str) -> list[User]:
    """Who signs in here with a password and has this mail address."""
    found = User.objects.filter(email__iexact=email, is_active=True).exclude(email="")
    return [user for user in found[:MOST_ACCOUNTS] if user.has_usable_password()]


def _record(action: str, letter: Letter, by: Asker, **details: object) -> None:
    audit.record(
        action,
        actor=by.user,
        target=letter.email,
        outcome="succeeded",
        address=by.address,
        details=details,
    )
