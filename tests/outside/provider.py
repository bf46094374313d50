"""A real OpenID provider as a process of its own, which insists on PKCE."""

import sys
import warnings

warnings.simplefilter("ignore")

from authlib.oauth2.rfc7636 import CodeChallenge
from oidc_provider_mock import _app
from werkzeug.serving import make_server

_challenges: dict[str, str] = {}


class Challenge(CodeChallenge):  # type: ignore[misc]  # Authlib has no hints
    """Remembers what a code was asked with; the provider's own rows have no room."""

    def __init__(self) -> None:
        super().__init__(required=True)

    def get_authorization_code_challenge(self, authorization_code: object) -> str:
        return _challenges[authorization_code.code]  # type: ignore[attr-defined]

    def get_authorization_code_challenge_method(self, _code: object) -> str:
        return "S256"


class Grant(_app.AuthorizationCodeGrant):
    """Keeps the challenge beside each code; who has no secret proves it by PKCE."""

    TOKEN_ENDPOINT_AUTH_METHODS = ["client_secret_basic", "client_secret_post", "none"]

    def save_authorization_code(self, code: str, request: object) -> None:
        _challenges[code] = request.payload.data["code_challenge"]  # type: ignore[attr-defined]
        super().save_authorization_code(code, request)


register = _app.flask_oauth2.AuthorizationServer.register_grant


def _with_challenge(server: object, grant: type, extensions: object = None) -> None:
    if grant is _app.AuthorizationCodeGrant:
        register(server, Grant, [*extensions, Challenge()])  # type: ignore[misc]
    else:
        register(server, grant, extensions)


_app.flask_oauth2.AuthorizationServer.register_grant = _with_challenge

if __name__ == "__main__":
    app = _app.app(require_client_registration=True, require_nonce=True)
    app.debug = False
    make_server("127.0.0.1", int(sys.argv[1]), app, threaded=True).serve_forever()
