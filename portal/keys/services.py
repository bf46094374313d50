"""What can be asked about one's keys: keep one, forget one."""

import base64
import hashlib

from django.db import IntegrityError, transaction

from guests.images.seed import CloudInit
from kvmweb.accounts import audit
from kvmweb.accounts.models import User
from kvmweb.accounts.services import Asker
from kvmweb.errors import Conflict, Invalid
from portal.keys.models import SshKey

NAME_MAX, TEXT_MAX, MOST = 100, 16384, 50


def keep(name: str, text: str, *, by: Asker) -> SshKey:
    """Keep a public key; without a name, its own comment is the name.

    Raises Invalid for what is no key, Conflict for one that is kept already.
    """
    check(text.strip())  # one line, whatever stands around it
    line = " ".join(text.split())
    called = (name.strip() or _comment(line))[:NAME_MAX]
    if not called.isprintable():
        raise Invalid("Not a name.", errors={"name": ["A name is one line of text."]})
    with transaction.atomic():
        User.objects.select_for_update().get(pk=by.user.pk)  # counted one by one
        if SshKey.objects.filter(user=by.user).count() >= MOST:
            raise Conflict(f"You keep {MOST} keys already.", hint="Forget one first.")
        key = _stored(SshKey(user=by.user, name=called, text=line))
        _record("ssh-key.keep", key, by)
    return key


def forget(key: SshKey, *, by: Asker) -> None:
    """Keep it no more; machines that have it go on having it."""
    with transaction.atomic():
        _record("ssh-key.forget", key, by)
        key.delete()


def check(line: str) -> None:
    """Nothing. Raises Invalid for what is no public key."""
    try:
        CloudInit(hostname="guest", ssh_keys=(line,)).check()
    except Invalid as error:
        sentence = (
            "This is no public SSH key: paste one line like “ssh-ed25519 AAAA… name”."
        )
        raise Invalid(sentence, errors={"text": [sentence]}) from error


def fingerprint(line: str) -> str:
    """As ssh-keygen -l says it: "SHA256:…"."""
    blob = base64.b64decode(line.split(" ")[1])
    digest = base64.b64encode(hashlib.sha256(blob).digest()).decode()
    return f"SHA256:{digest.rstrip('=')}"


def _stored(key: SshKey) -> SshKey:
    key.fingerprint = fingerprint(key.text)
    same = SshKey.objects.filter(user=key.user, fingerprint=key.fingerprint).first()
    if same is not None:
        raise Conflict(f"You keep this key already, as {same.name}.", field="text")
    try:
        with transaction.atomic():
            key.save()
    except IntegrityError as error:
        message = f"You keep a key {key.name} already."
        raise Conflict(message, field="name") from error
    return key


def _comment(line: str) -> str:
    words = line.split(" ", 2)
    return words[2] if len(words) > 2 else words[0]


def _record(action: str, key: SshKey, by: Asker) -> None:
    audit.record(
        action,
        actor=by.user,
        target=f"user:{by.user.pk}",
        outcome="succeeded",
        address=by.address,
        details={"name": key.name, "fingerprint": key.fingerprint},
    )
