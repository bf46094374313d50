"""Pages of notices: the list, the drawer, how one wants to be told, webhooks."""

from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)

from kvmweb import mail
from kvmweb.accounts.forms import refuse
from kvmweb.accounts.gate import Right, door
from kvmweb.accounts.requests import UserRequest
from kvmweb.accounts.services import Asker
from kvmweb.errors import AppError
from portal.telling import access, queries, services, webhooks
from portal.telling.events import WAY_WORDS
from portal.telling.forms import WebhookForm, wishes_of
from portal.telling.models import Webhook

_PAGE = 50
form_page = require_http_methods(["GET", "HEAD", "POST"])


@require_safe
@door(Right.SIGNED_IN)
def listing(request: UserRequest) -> HttpResponse:
    """What one was told, newest first."""
    unread = request.GET.get("unread") == "yes"
    rows = queries.notices(request.user, unread=unread)
    page = Paginator(rows, _PAGE).get_page(request.GET.get("page"))
    context = {"page": page, "notices": page.object_list, "unread": unread}
    return render(request, "portal/telling/notices.html", context)


@require_safe
@door(Right.SIGNED_IN)
def drawer(request: UserRequest) -> HttpResponse:
    """A part of a page: the last of them."""
    context = {"notices": queries.drawer(request.user)}
    return render(request, "portal/telling/drawer.html", context)


@require_POST
@door(Right.SIGNED_IN)
def follow(request: UserRequest, notice_id: int) -> HttpResponse:
    """One has seen it; on to what it is about."""
    notice = services.read(access.notice(request.user, notice_id))
    return redirect(notice.page or "notices")


@require_POST
@door(Right.SIGNED_IN)
def read_all(request: UserRequest) -> HttpResponse:
    """One has seen everything."""
    services.read_all(request.user)
    return redirect("notices")


@form_page
@door(Right.SIGNED_IN)
def wishes(request: UserRequest) -> HttpResponse:
    """In which ways one hears of what, and one's webhooks."""
    if request.method == "POST":
        services.choose(request.user, wishes_of(request.POST))
        messages.success(request, "Kept.")
        return redirect("account-notices")
    user = request.user
    context = {
        "groups": queries.wishes(user),
        "ways": WAY_WORDS,
        "mail": mail.possible(),
        "webhooks": queries.webhooks(user, for_all=access.may_for_all(user)),
    }
    return render(request, "portal/telling/wishes.html", context)


@form_page
@never_cache
@sensitive_post_parameters("url")
@door(Right.SIGNED_IN)
def new_webhook(request: UserRequest) -> HttpResponse:
    """A new webhook; its secret is shown this once."""
    form = WebhookForm(request.user, data=request.POST or None)
    if form.is_valid():
        for_all = bool(form.cleaned_data.get("for_all"))
        try:
            hook, secret = webhooks.add(form.wish(), for_all=for_all, by=_by(request))
        except AppError as error:
            refuse(form, error)
        else:
            return _secret_page(request, hook, secret)
    return _form_page(request, form, None)


@require_safe
@door(Right.SIGNED_IN)
def webhook(request: UserRequest, webhook_id: int) -> HttpResponse:
    """One webhook, and what was or will be sent there."""
    hook = access.webhook(request.user, webhook_id)
    rows = queries.deliveries(hook)
    page = Paginator(rows, _PAGE).get_page(request.GET.get("page"))
    context = {"webhook": hook, "page": page, "deliveries": page.object_list}
    return render(request, "portal/telling/webhook.html", context)


@form_page
@sensitive_post_parameters("url")
@door(Right.SIGNED_IN)
def edit_webhook(request: UserRequest, webhook_id: int) -> HttpResponse:
    """Change it."""
    hook = access.webhook(request.user, webhook_id)
    form = WebhookForm(request.user, hook, request.POST or None)
    if form.is_valid():
        try:
            webhooks.edit(hook, form.wish(), by=_by(request))
        except AppError as error:
            refuse(form, error)
        else:
            return redirect(hook)
    return _form_page(request, form, hook)


@require_POST
@never_cache
@door(Right.SIGNED_IN)
def renew_secret(request: UserRequest, webhook_id: int) -> HttpResponse:
    """A new secret, shown this once."""
    hook = access.webhook(request.user, webhook_id)
    secret = webhooks.renew_secret(hook, by=_by(request))
    return _secret_page(request, hook, secret)


@require_POST
@door(Right.SIGNED_IN)
def try_out(request: UserRequest, webhook_id: int) -> HttpResponse:
    """Send it a test soon."""
    hook = access.webhook(request.user, webhook_id)
    webhooks.try_out(hook, by=_by(request))
    messages.success(request, "A test is on its way.")
    return redirect(hook)


@require_POST
@door(Right.SIGNED_IN)
def remove_webhook(request: UserRequest, webhook_id: int) -> HttpResponse:
    """Call it no more."""
    hook = access.webhook(request.user, webhook_id)
    webhooks.remove(hook, by=_by(request))
    messages.success(request, f"{hook.name} is called no more.")
    return redirect("account-notices")


@require_POST
@door(Right.SIGNED_IN)
def send_again(
    request: UserRequest, webhook_id: int, delivery_id: UUID
) -> HttpResponse:
    """Send it once more."""
    delivery = access.delivery(request.user, webhook_id, delivery_id)
    webhooks.send_again(delivery, by=_by(request))
    messages.success(request, "It is on its way again.")
    return redirect("webhook", webhook_id)


def _form_page(
    request: UserRequest, form: WebhookForm, hook: Webhook | None
) -> HttpResponse:
    context = {"form": form, "webhook": hook}
    status = 422 if form.is_bound else 200
    return render(request, "portal/telling/webhook_form.html", context, status=status)


def _secret_page(request: UserRequest, hook: Webhook, secret: str) -> HttpResponse:
    context = {"webhook": hook, "secret": secret}
    return render(request, "portal/telling/secret.html", context)


def _by(request: UserRequest) -> Asker:
    return Asker(request.user, request.client_address)
