"""Settings. This module alone reads the environment; the names are the README's."""

import os
import secrets
import socket
from pathlib import Path

import dj_database_url

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = Path(os.environ.get("KVMWEB_DATA_DIR", BASE_DIR / "var")).absolute()
DATA_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)

PORT = int(os.environ.get("KVMWEB_PORT", "8000"))
BIND = os.environ.get("KVMWEB_BIND", "127.0.0.1")
REDIS_URL = os.environ.get("KVMWEB_REDIS_URL") or f"unix://{DATA_DIR}/redis.sock"
ADMIN_PASSWORD = os.environ.get("KVMWEB_ADMIN_PASSWORD", "")
LOCAL_HOST = os.environ.get("KVMWEB_LOCAL_HOST", "auto")
HTTPS = os.environ.get("KVMWEB_HTTPS", "off") == "on"
TRASH_DAYS = float(os.environ.get("KVMWEB_TRASH_DAYS", "7"))  # then volumes go for ever
# Where people find the panel: what mails and webhooks link to.
PUBLIC_URL = (
    os.environ.get("KVMWEB_PUBLIC_URL")
    or f"{'https' if HTTPS else 'http'}://{BIND}:{PORT}"
).rstrip("/")
# smtp://user:password@host:587?tls=starttls, or smtps://…; none: no mail is sent.
SMTP_URL = os.environ.get("KVMWEB_SMTP_URL", "")
MAIL_FROM = os.environ.get("KVMWEB_MAIL_FROM") or f"kvmweb@{socket.gethostname()}"
# Who must have a second factor to sign in: off, admins, all.
SECOND_FACTOR = os.environ.get("KVMWEB_SECOND_FACTOR", "off")
# An OpenID provider that vouches for people; none without issuer and client.
OIDC_ISSUER = os.environ.get("KVMWEB_OIDC_ISSUER", "")
OIDC_CLIENT_ID = os.environ.get("KVMWEB_OIDC_CLIENT_ID", "")
OIDC_CLIENT_SECRET = os.environ.get("KVMWEB_OIDC_CLIENT_SECRET", "")
OIDC_SCOPES = os.environ.get("KVMWEB_OIDC_SCOPES") or "openid profile email"
OIDC_GROUPS_CLAIM = os.environ.get("KVMWEB_OIDC_GROUPS_CLAIM") or "groups"
OIDC_NAME = os.environ.get("KVMWEB_OIDC_NAME") or "single sign-on"
# A directory (LDAP, Active Directory) that vouches for people; none without a URL.
LDAP_URL = os.environ.get("KVMWEB_LDAP_URL", "")
LDAP_CA_FILE = os.environ.get("KVMWEB_LDAP_CA_FILE", "")
LDAP_BIND_DN = os.environ.get("KVMWEB_LDAP_BIND_DN", "")
LDAP_BIND_PASSWORD = os.environ.get("KVMWEB_LDAP_BIND_PASSWORD", "")
LDAP_USER_BASE = os.environ.get("KVMWEB_LDAP_USER_BASE", "")
LDAP_USER_FILTER = os.environ.get("KVMWEB_LDAP_USER_FILTER") or "(uid={username})"
LDAP_GROUP_BASE = os.environ.get("KVMWEB_LDAP_GROUP_BASE", "")
LDAP_GROUP_FILTER = (
    os.environ.get("KVMWEB_LDAP_GROUP_FILTER")
    or "(|(member={dn})(uniqueMember={dn})(memberUid={username}))"
)
# What their groups mean: vm-admins=admin, web-team=project:web:operator
GROUPS = os.environ.get("KVMWEB_GROUPS", "")
# Whether webhooks of people who are no administrators may reach private addresses.
WEBHOOK_PRIVATE = os.environ.get("KVMWEB_WEBHOOK_PRIVATE", "off") == "on"
# Private networks from which files may be fetched into volumes.
FETCH_NETWORKS = tuple(
    os.environ.get("KVMWEB_FETCH_NETWORKS", "").replace(",", " ").split()
)
# Addresses or networks of proxies whose X-Forwarded-For is believed; "unix" for a socket.
TRUSTED_PROXY = tuple(
    os.environ.get("KVMWEB_TRUSTED_PROXY", "").replace(",", " ").split()
)


def _kept_secret(name: str) -> str:
    """A random word that is made once and kept beside the database, not in it."""
    path = DATA_DIR / name
    try:
        with os.fdopen(
            os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w"
        ) as file:
            file.write(secrets.token_urlsafe(48))
    except FileExistsError:
        pass
    return path.read_text()


SECRET_KEY = _kept_secret("secret_key")
SECRETS_KEY = _kept_secret("secrets.key")  # encrypts what opens the hosts
DEBUG = False
ALLOWED_HOSTS = [
    "localhost",
    "127.0.0.1",
    "[::1]",
    BIND,
    socket.gethostname(),
    *filter(None, os.environ.get("KVMWEB_ALLOWED_HOSTS", "").split(",")),
]
INTERNAL_SOCKETS = DATA_DIR / "run"  # what our own processes say to each other

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "channels",
    "kvmweb.accounts",
    "kvmweb.live",
    "kvmweb.operations",
    "kvmweb.rollups",
    "hosts",
    "guests",
    "portal",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "kvmweb.middleware.ContentSecurityPolicy",
    "kvmweb.middleware.Answers",
    "kvmweb.middleware.StaticFiles",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "kvmweb.middleware.People",
    "kvmweb.middleware.Doors",
    "kvmweb.operations.idempotency.Idempotency",
]
ROOT_URLCONF = "kvmweb.urls"
ASGI_APPLICATION = "kvmweb.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
            "builtins": [f"kvmweb.templatetags.{it}" for it in ("words", "lists")],
        },
    },
]

DATABASES = {
    "default": dj_database_url.parse(
        os.environ.get("KVMWEB_DATABASE_URL") or f"sqlite:///{DATA_DIR}/kvmweb.sqlite3"
    )
}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["OPTIONS"] = {
        "timeout": 20,
        "transaction_mode": "IMMEDIATE",
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

CELERY_BROKER_URL = (
    REDIS_URL.replace("unix://", "redis+socket://")
    if REDIS_URL.startswith("unix://")
    else REDIS_URL
)
_EVERY_S = {  # a task that was not begun when its next one is due is not begun at all
    "rollups.roll_up": 300,
    "rollups.forget": 3600,
    "hosts.empty_trash": 600,
    "hosts.clear_unfinished": 20,
    "inside.forget": 60,
    "accounts.forget": 3600,
    "accounts.post": 10,
    "images.follow": 10,
    "leases.look": 60,
    "balance.look": 60,
    "canary.look": 60,
    "cloning.tidy": 30,
    "creation.tidy": 30,
    "ledger.follow": 30,
    "telling.mail": 5,
    "telling.call": 5,
    "showback.follow": 60,
    "telling.forget": 3600,
    "migration.prove": 30,
    "migration.settle": 15,
    "operations.sweep": 10,
    "operations.forget": 3600,
}
CELERY_BEAT_SCHEDULE = {
    task: {"task": task, "schedule": every_s, "options": {"expires": every_s}}
    for task, every_s in _EVERY_S.items()
}

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 10},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {
        "NAME": "django.contrib.auth.password_validation"
        ".UserAttributeSimilarityValidator"
    },
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "overview"
LOGOUT_REDIRECT_URL = "login"

SESSION_ENGINE = "kvmweb.accounts.sessions.store"
SESSION_COOKIE_AGE = 12 * 3600
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
CSRF_COOKIE_SAMESITE = "Strict"
CSRF_FAILURE_VIEW = "kvmweb.answers.forged"
SECURE_SSL_REDIRECT = HTTPS
SECURE_HSTS_SECONDS = 3600 if HTTPS else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SILENCED_SYSTEM_CHECKS = [
    # The panel may be served on a closed network without TLS; KVMWEB_HTTPS=on
    # turns all of these on behind a proxy that ends TLS.
    "security.W004",
    "security.W005",
    "security.W008",
    "security.W012",
    "security.W016",
    "security.W021",
]

LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False

STATIC_URL = "/static/"
STATICFILES_DIRS = [
    BASE_DIR / "static",
    ("npm/novnc", BASE_DIR / "node_modules/@novnc/novnc"),
    ("npm/uplot", BASE_DIR / "node_modules/uplot/dist"),
    # As an app it would be loaded by each process, also by those that answer nobody.
    ("ninja", Path(dj_database_url.__file__).parent.parent / "ninja/static/ninja"),
]
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False

DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(levelname)s %(name)s: %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
    "loggers": {
        "django.request": {"level": "ERROR"},
        "django.security.DisallowedHost": {"level": "CRITICAL"},  # anybody can send it
    },
}
