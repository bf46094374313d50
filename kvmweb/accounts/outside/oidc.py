"""The wire to an OpenID provider: authorization code with PKCE, and an ID token checked.

A sign-in makes at most five calls, each with a deadline: what the provider offers and
its keys (both kept for minutes), the token, and what it tells of the person.
"""

import json
import secrets
import threading
import time
from dataclasses import asdict, dataclass, field
from typing import Any

import requests
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from django.conf import settings
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet

from kvmweb.accounts.outside.addresses import need_safe
from kvmweb.accounts.outside.services import Person
from kvmweb.errors import AppError, Forbidden, Unavailable

CONNECT_S, READ_S = 3, 5
_KEPT_S = 600
_MOST_BYTES = 1 << 20
_ALGORITHMS = (
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512",
    "EdDSA",
)  # fmt: skip
_LEEWAY_S = 60
_lock = threading.Lock()
_kept: dict[str, tuple[float, dict[str, Any]]] = {}


@dataclass(frozen=True, slots=True)
class Journey:
    """What a browser keeps, sealed, while its owner is at the provider."""

    redirect_uri: str
    after: str
    link: int = 0  # the user who wants to sign in that way, too
    again: bool = False  # who is signed in shows once more who they are
    left_at: float = field(default_factory=time.time)
    state: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    nonce: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48), repr=False)

    def kept(self) -> dict[str, Any]:
        """As the cookie keeps it."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Arrival:
    """Who came back, and whether the provider itself asked for a second factor."""

    person: Person
    strong: bool
    shown_at: float  # when they last showed it who they are; 0: not told

    def shown_on(self, journey: Journey) -> bool:
        """Whether the provider asked them who they are on this very way."""
        return self.shown_at >= journey.left_at - _LEEWAY_S


def configured() -> bool:
    """Whether there is a provider."""
    return bool(settings.OIDC_ISSUER and settings.OIDC_CLIENT_ID)


def address_to_go(journey: Journey) -> str:
    """Where at the provider to send the browser. Raises Unavailable or Forbidden."""
    more = {"prompt": "login", "max_age": "0"} if journey.again else {}
    with _client(journey) as client:
        address, _ = client.create_authorization_url(
            _safe(_offers()["authorization_endpoint"]),
            state=journey.state,
            nonce=journey.nonce,
            code_challenge=create_s256_code_challenge(journey.verifier),
            code_challenge_method="S256",
            **more,
        )
    return str(address)


def arrival(journey: Journey, state: str, code: str) -> Arrival:
    """Who came back with this code.

    Raises Forbidden when anything of it does not fit, Unavailable when the provider does
    not answer.
    """
    if not secrets.compare_digest(state.encode(), journey.state.encode()) or not code:
        raise _refused("it answers another question than was asked")
    offers = _offers()
    tokens = _tokens(journey, offers, code)
    claims = _claims(journey, offers, str(tokens.get("id_token", "")))
    if settings.OIDC_GROUPS_CLAIM not in claims or "preferred_username" not in claims:
        claims = {**_told(offers, tokens, claims), **claims}
    methods = claims.get("amr")
    strong = isinstance(methods, list) and "mfa" in methods
    shown_at = claims.get("auth_time")
    return Arrival(
        _person(claims),
        strong,
        float(shown_at) if isinstance(shown_at, int | float) else 0.0,
    )


def _safe(address: object) -> str:
    need_safe(str(address))
    return str(address)


def _client(journey: Journey) -> Any:
    secret = settings.OIDC_CLIENT_SECRET
    return OAuth2Session(
        settings.OIDC_CLIENT_ID,
        secret or None,
        token_endpoint_auth_method="client_secret_basic" if secret else "none",
        scope=settings.OIDC_SCOPES,
        redirect_uri=journey.redirect_uri,
    )


def _offers() -> dict[str, Any]:
    """What the provider says of itself, if it is the one that is meant."""
    issuer = settings.OIDC_ISSUER.rstrip("/")
    said = _asked(f"{issuer}/.well-known/openid-configuration")
    if str(said.get("issuer", "")).rstrip("/") != issuer:
        raise _refused("it calls itself by another name")
    for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
        need_safe(str(said.get(name, "")))
    return said


def _asked(address: str, *, anew: bool = False) -> dict[str, Any]:
    """The document at this address, as it was within the last minutes."""
    need_safe(address)
    with _lock:
        at, said = _kept.get(address, (0.0, {}))
    if not anew and time.monotonic() - at < _KEPT_S and said:
        return said
    said = _document(requests.Session(), address)
    with _lock:
        _kept[address] = (time.monotonic(), said)
    return said


def _document(session: requests.Session, address: str, **more: Any) -> dict[str, Any]:
    try:
        with session.get(
            address,
            timeout=(CONNECT_S, READ_S),
            allow_redirects=False,
            stream=True,
            **more,
        ) as answer:
            text = answer.raw.read(_MOST_BYTES, decode_content=True)
            answer.raw.close()
    except (requests.RequestException, OSError) as error:
        raise _silent() from error
    if answer.status_code != requests.codes.ok:
        raise _silent()
    return _parsed(text)


def _parsed(text: bytes) -> dict[str, Any]:
    try:
        said = json.loads(text)
    except ValueError as error:
        raise _silent() from error
    if not isinstance(said, dict):
        raise _silent()
    return said


def _tokens(journey: Journey, offers: dict[str, Any], code: str) -> dict[str, Any]:
    with _client(journey) as client:
        try:
            told = client.fetch_token(
                _safe(offers["token_endpoint"]),
                grant_type="authorization_code",
                code=code,
                code_verifier=journey.verifier,
                timeout=(CONNECT_S, READ_S),
                allow_redirects=False,
            )
        except (requests.RequestException, OSError) as error:
            raise _silent() from error
        except (AuthlibBaseError, ValueError) as error:
            raise _refused("it does not take the code") from error
    return dict(told)


def _claims(journey: Journey, offers: dict[str, Any], text: str) -> dict[str, Any]:
    """What the ID token says, once it is proved that it says it to us, now."""
    try:
        token = _decoded(offers, text)
        registry = jwt.JWTClaimsRegistry(
            leeway=_LEEWAY_S,
            iss={"essential": True, "value": offers["issuer"]},
            aud={"essential": True, "value": settings.OIDC_CLIENT_ID},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
            nonce={"essential": True, "value": journey.nonce},
        )
        registry.validate(token.claims)
    except (JoseError, ValueError, TypeError) as error:
        raise _refused(
            f"its ID token does not hold ({type(error).__name__})"
        ) from error
    claims: dict[str, Any] = token.claims
    party = claims.get("azp", settings.OIDC_CLIENT_ID)
    if party != settings.OIDC_CLIENT_ID or not claims["sub"]:
        raise _refused("its ID token is for another")
    return claims


def _decoded(offers: dict[str, Any], text: str) -> jwt.Token:
    keys = KeySet.import_key_set(_asked(offers["jwks_uri"]))  # type: ignore[arg-type]  # as it came
    try:
        return jwt.decode(text, keys, algorithms=_ALGORITHMS)
    except (InvalidKeyIdError, ValueError):
        newer = _asked(offers["jwks_uri"], anew=True)  # it may have changed its keys
        return jwt.decode(
            text,
            KeySet.import_key_set(newer),  # type: ignore[arg-type]  # as it came
            algorithms=_ALGORITHMS,
        )


def _told(
    offers: dict[str, Any], tokens: dict[str, Any], claims: dict[str, Any]
) -> dict[str, Any]:
    """What else the provider tells of this person."""
    if "userinfo_endpoint" not in offers or "access_token" not in tokens:
        return {}
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    address = _safe(offers["userinfo_endpoint"])
    said = _document(requests.Session(), address, headers=bearer)
    if said.get("sub") != claims["sub"]:
        raise _refused("it tells of somebody else")
    return said


def _person(claims: dict[str, Any]) -> Person:
    groups = claims.get(settings.OIDC_GROUPS_CLAIM, [])
    if isinstance(groups, str):
        groups = groups.split()
    if not isinstance(groups, list):
        groups = []
    mail = str(claims.get("email") or "")
    return Person(
        provider=settings.OIDC_ISSUER.rstrip("/"),
        subject=str(claims["sub"]),
        username=str(claims.get("preferred_username") or mail.partition("@")[0]),
        name=str(claims.get("name") or ""),
        email=mail if claims.get("email_verified") is not False else "",
        groups=[str(group) for group in groups],
    )


def _refused(why: str) -> AppError:
    return Forbidden(f"The provider's answer is not taken: {why}.", hint="Start again.")


def _silent() -> AppError:
    return Unavailable(
        "The provider of sign-ins does not answer as it should.",
        hint="Try again in a moment.",
    )
