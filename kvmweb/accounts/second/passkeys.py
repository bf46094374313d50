"""Passkeys (WebAuthn): asked for, added, taken as the second step.

A key is bound to the name in the browser's address bar, which is one of ALLOWED_HOSTS;
each question holds once, for a minute, in the session that asked.
"""

import base64
import json
import time
from ipaddress import ip_address
from typing import Any

import webauthn
from django.db import transaction
from django.http import HttpRequest
from django.http.request import split_domain_port
from django.utils import timezone
from django.utils.crypto import salted_hmac
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from kvmweb.accounts import audit, signin
from kvmweb.accounts.models import User
from kvmweb.accounts.second import codes, half, services
from kvmweb.accounts.second.half import Half
from kvmweb.accounts.second.models import Passkey
from kvmweb.accounts.services import Asker
from kvmweb.errors import Conflict, Invalid

MOST = 20  # of one person
_QUESTION = "passkey_question"
_LASTS_S = 120


def creation_options(request: HttpRequest, user: User) -> str:
    """What the browser needs to make a key, as JSON. Raises Conflict where it cannot."""
    site = _site(request)
    known = Passkey.objects.filter(user=user)
    if known.count() >= MOST:
        raise Conflict(f"You have {MOST} passkeys.", hint="Remove one first.")
    options = webauthn.generate_registration_options(
        rp_id=site,
        rp_name=codes.ISSUER,
        user_name=user.username,
        user_display_name=user.name or user.username,
        user_id=salted_hmac("kvmweb.accounts.passkeys", str(user.pk)).digest(),
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.DISCOURAGED,
            user_verification=UserVerificationRequirement.REQUIRED,
        ),
        exclude_credentials=_descriptors(user, site),
    )
    _ask(request, options.challenge)
    return webauthn.options_to_json(options)


def add(request: HttpRequest, name: str, credential: str, *, by: Asker) -> list[str]:
    """Keep the key the browser made; recovery codes, if it is the first factor.

    Raises Invalid when the answer does not fit the question.
    """
    user, site = by.user, _site(request)
    try:
        made = webauthn.verify_registration_response(
            credential=_parsed(credential),
            expected_challenge=_asked(request),
            expected_rp_id=site,
            expected_origin=_origin(request),
            require_user_verification=True,
        )
    except (WebAuthnException, ValueError, KeyError, TypeError) as error:
        raise _wrong() from error
    ident = bytes_to_base64url(made.credential_id)
    with transaction.atomic():
        first = not half.has_one(user)
        if len(ident) > 1400 or Passkey.objects.filter(credential=ident).exists():
            raise _wrong()
        Passkey.objects.create(
            user=user,
            name=name,
            site=site,
            credential=ident,
            public_key=bytes_to_base64url(made.credential_public_key),
            sign_count=made.sign_count,
        )
        audit.record(
            "second.passkey.add",
            actor=by.user,
            target=f"user:{user.pk}",
            outcome="succeeded",
            address=by.address,
            details={"username": user.username, "name": name, "site": site},
        )
        return codes.new_recovery(user) if first else []


def request_options(request: HttpRequest, user: User) -> str:
    """What the browser needs to use a key, as JSON. Raises Conflict without any."""
    site = _site(request)
    known = _descriptors(user, site)
    if not known:
        raise Conflict(f"You have no passkey for {site}.", hint="Use a code instead.")
    options = webauthn.generate_authentication_options(
        rp_id=site,
        allow_credentials=known,
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    _ask(request, options.challenge)
    return webauthn.options_to_json(options)


def take(request: HttpRequest, found: Half, credential: str, address: str) -> None:
    """Take the second step with a key. Raises Invalid, TooMany when it is too early."""
    attempt = signin.count_attempt(services.throttled(found.user), address)
    try:
        _take(request, found.user, credential)
    except (WebAuthnException, ValueError, KeyError, TypeError) as error:
        services.refused(found.user, address, "passkey")
        raise _wrong() from error
    signin.forgive(attempt)
    half.complete(request, found, by="passkey")


def _take(request: HttpRequest, user: User, credential: str) -> None:
    said = _parsed(credential)
    key = Passkey.objects.filter(
        user=user, site=_site(request), credential=said["id"]
    ).first()
    if key is None:
        raise ValueError("unknown key")
    proved = webauthn.verify_authentication_response(
        credential=said,
        expected_challenge=_asked(request),
        expected_rp_id=key.site,
        expected_origin=_origin(request),
        credential_public_key=base64url_to_bytes(key.public_key),
        credential_current_sign_count=key.sign_count,
        require_user_verification=True,
    )
    unused = Passkey.objects.filter(pk=key.pk, sign_count=key.sign_count)
    taken = unused.update(sign_count=proved.new_sign_count, last_used_at=timezone.now())
    if not taken:
        raise ValueError("used at the same moment elsewhere")


def _ask(request: HttpRequest, challenge: bytes) -> None:
    question = base64.b64encode(challenge).decode()
    request.session[_QUESTION] = {"challenge": question, "at": time.time()}


def _asked(request: HttpRequest) -> bytes:
    """The question this session asked last; it is asked once."""
    kept = request.session.pop(_QUESTION, None)
    if kept is None or not 0 <= time.time() - kept["at"] < _LASTS_S:
        raise ValueError("nothing was asked")
    return base64.b64decode(kept["challenge"])


def _parsed(credential: str) -> dict[str, Any]:
    said = json.loads(credential)
    if not isinstance(said, dict) or not isinstance(said.get("id"), str):
        raise TypeError("no credential")
    return said


def _descriptors(user: User, site: str) -> list[PublicKeyCredentialDescriptor]:
    keys = Passkey.objects.filter(user=user, site=site)
    return [
        PublicKeyCredentialDescriptor(id=base64url_to_bytes(key.credential))
        for key in keys
    ]


def _site(request: HttpRequest) -> str:
    """The name keys are bound to. Raises Conflict for an address of numbers."""
    name, _ = split_domain_port(request.get_host())
    try:
        ip_address(name.strip("[]"))
    except ValueError:
        return name
    raise Conflict(
        "Passkeys need a name in the address bar, and this is a number.",
        hint="Open the panel by its name.",
    )


def _origin(request: HttpRequest) -> str:
    return f"{request.scheme}://{request.get_host()}"


def _wrong() -> Invalid:
    return Invalid("The passkey did not answer as it should.", hint="Try again.")
