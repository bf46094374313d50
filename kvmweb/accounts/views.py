"""Pages of people: sign in and out, one's account, users, the audit record."""

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)

from kvmweb import mail
from kvmweb.accounts import access, forms, queries, services, signin, tokens
from kvmweb.accounts.gate import Right, door, sees_all
from kvmweb.accounts.models import User
from kvmweb.accounts.outside import oidc
from kvmweb.accounts.requests import UserRequest, client_address
from kvmweb.accounts.services import Asker
from kvmweb.accounts.sessions import queries as sessions
from kvmweb.accounts.sessions import store
from kvmweb.errors import (
    AppError,
    Conflict,
    Forbidden,
    Invalid,
    TooMany,
    Unavailable,
)

PAGE = 50
form_page = require_http_methods(["GET", "HEAD", "POST"])


@form_page
@never_cache
@sensitive_post_parameters("password")
@door(Right.PUBLIC)
def login(request: HttpRequest) -> HttpResponse:
    """Sign in."""
    after = _local(request.POST.get("next") or request.GET.get("next") or "")
    if request.method != "POST" and isinstance(request.user, User):
        return redirect(after or _landing(request.user))
    form = forms.SignIn(request.POST or None)
    if not form.is_valid():
        status = 422 if request.method == "POST" else 200
        return _login_page(request, form, after, status=status)
    typed = form.cleaned_data
    try:
        inside = signin.sign_in(
            request,
            typed["username"],
            typed["password"],
            client_address(request),
            after=after,
        )
    except (Invalid, TooMany, Unavailable) as error:
        return _refused_login(request, form, after, error)
    if inside and isinstance(request.user, User):
        return redirect(after or _landing(request.user))
    return redirect("login-second")


@require_POST
@door(Right.PUBLIC)
def logout(request: HttpRequest) -> HttpResponse:
    """Sign out; also where nobody is signed in any more."""
    if isinstance(request.user, User):
        signin.sign_out(request, Asker(request.user, client_address(request)))
    return redirect("login")


@require_safe
@door(Right.SIGNED_IN)
def account(request: UserRequest) -> HttpResponse:
    """One's password and tokens."""
    return _account_page(request)


@require_POST
@sensitive_post_parameters("old", "password")
@door(Right.SIGNED_IN)
def change_password(request: UserRequest) -> HttpResponse:
    """One's own new password; other sessions end, this one stays."""
    form = forms.Password(request.POST)
    if form.is_valid():
        old, new = form.cleaned_data["old"], form.cleaned_data["password"]
        try:
            signin.change_password(request.user, old, new, by=_asker(request))
        except (Invalid, TooMany) as error:
            forms.refuse(form, error)
        else:
            update_session_auth_hash(request, request.user)
            messages.success(request, "Your password is changed.")
            return redirect("account")
    return _account_page(request, password_form=form, status=422)


@require_POST
@never_cache
@door(Right.SIGNED_IN)
def new_token(request: UserRequest) -> HttpResponse:
    """Make a token and show its text, this once."""
    form = forms.NewToken(request.user, request.POST)
    if not form.is_valid():
        return _account_page(request, token_form=form, status=422)
    typed = form.cleaned_data
    token, secret = tokens.make(
        request.user,
        typed["name"],
        scope=typed["scope"],
        expires_at=form.expires_at(),
        by=_asker(request),
        project=typed["project"],
    )
    context = {"token": token, "secret": secret.text}
    response = render(request, "accounts/token_created.html", context)
    response.headers["Cache-Control"] = "no-store"
    return response


@require_POST
@door(Right.SIGNED_IN)
def revoke_token(request: UserRequest, pk: int) -> HttpResponse:
    """End a token."""
    token = access.token(request.user, pk)
    tokens.revoke(token, by=_asker(request))
    messages.success(request, f"The token {token.name} is revoked.")
    if token.user_id != request.user.pk:
        return redirect("user-edit", token.user_id)
    return redirect("account")


@require_safe
@door(Right.MANAGE_USERS)
def users(request: UserRequest) -> HttpResponse:
    """Everybody."""
    search = request.GET.get("search", "")[:200]
    page = Paginator(queries.people(search), PAGE).get_page(request.GET.get("page"))
    context = {"page": page, "filters": {"search": search}, "sorts": []}
    return render(request, "accounts/users.html", context)


@form_page
@sensitive_post_parameters("password")
@door(Right.MANAGE_USERS)
def new_user(request: UserRequest) -> HttpResponse:
    """Add somebody."""
    form = forms.Person(request.POST or None)
    if form.is_valid():
        try:
            name = form.cleaned_data["username"]
            user = services.add(name, form.changes(), by=_asker(request))
        except Invalid as error:
            forms.refuse(form, error)
        else:
            messages.success(request, f"{user.username} is added.")
            return redirect("users")
    return _person_page(request, form, None)


@form_page
@sensitive_post_parameters("password")
@door(Right.MANAGE_USERS)
def edit_user(request: UserRequest, pk: int) -> HttpResponse:
    """Change somebody."""
    user = access.person(request.user, pk)
    form = forms.Person.of(user, request.POST or None)
    if form.is_valid():
        try:
            services.edit(user, form.changes(), by=_asker(request))
        except (Invalid, Conflict, Forbidden) as error:
            forms.refuse(form, error)
        else:
            messages.success(request, f"{user.username} is changed.")
            return redirect("users")
    return _person_page(request, form, user)


@require_POST
@door(Right.MANAGE_USERS)
def delete_user(request: UserRequest, pk: int) -> HttpResponse:
    """Remove somebody."""
    user = access.person(request.user, pk)
    services.delete(user, by=_asker(request))
    messages.success(request, f"{user.username} is removed.")
    return redirect("users")


@require_safe
@door(Right.SEE_AUDIT)
def audit(request: UserRequest) -> HttpResponse:
    """The audit record."""
    names = ("actor", "action", "outcome", "target", "search")
    typed = {name: request.GET.get(name, "")[:200] for name in names}
    filters = queries.AuditFilters(**typed)
    page = Paginator(queries.audit(filters), PAGE).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "filters": filters,
        "sorts": [],
        "outcomes": queries.OUTCOMES,
    }
    return render(request, "accounts/audit.html", context)


def _local(address: str) -> str:
    """Where somebody wanted to go: an address of ours; "" where none was said."""
    ours = url_has_allowed_host_and_scheme(address, allowed_hosts=None)
    return address if address and ours else ""


def _landing(user: User) -> str:
    """Where people begin: those who see everything with that, others with their own."""
    return reverse("overview" if sees_all(user) else "machines")


def _login_page(
    request: HttpRequest, form: forms.SignIn, after: str, status: int = 200
) -> HttpResponse:
    context = {
        "form": form,
        "next": after,
        "can_send": mail.possible(),
        "provider": settings.OIDC_NAME if oidc.configured() else "",
    }
    return render(request, "accounts/login.html", context, status=status)


def _refused_login(
    request: HttpRequest, form: forms.SignIn, after: str, error: AppError
) -> HttpResponse:
    form.add_error(None, error.detail)
    response = _login_page(request, form, after, status=error.status)
    if isinstance(error, TooMany):
        response.headers["Retry-After"] = str(error.retry_after_s)
    return response


def _account_page(
    request: UserRequest,
    *,
    password_form: forms.Password | None = None,
    token_form: forms.NewToken | None = None,
    status: int = 200,
) -> HttpResponse:
    context = {
        "password_form": password_form or forms.Password(),
        "token_form": token_form or forms.NewToken(request.user),
        "tokens": queries.tokens(request.user),
    }
    return render(request, "accounts/account.html", context, status=status)


def _person_page(
    request: UserRequest, form: forms.Person, user: User | None
) -> HttpResponse:
    status = 422 if form.is_bound else 200
    context: dict[str, object] = {"form": form, "person": user}
    if user is not None:
        context["visits"] = sessions.visits(user)
        context["here"] = store.handle(request.session.session_key or "")
        context["tokens"] = queries.tokens(user)
    return render(request, "accounts/user_form.html", context, status=status)


def _asker(request: UserRequest) -> Asker:
    return Asker(request.user, request.client_address)
