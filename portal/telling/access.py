"""The gate to one notice, webhook or delivery: one's own, or the administrators'."""

from uuid import UUID

from kvmweb.accounts.gate import Right, may
from kvmweb.accounts.models import User
from kvmweb.errors import Forbidden, NotFound
from portal.telling.models import Delivery, Notice, Webhook


def need_whole(user: User) -> None:
    """Nothing. Raises Forbidden with a token for one project: news are of them all."""
    if user.within is not None:
        raise Forbidden(
            "This token is for one project, and news are of all of them.",
            hint="Use a token that is not limited to a project.",
        )


def may_for_all(user: User) -> bool:
    """Whether they keep the webhooks that hear of everything."""
    return may(user, Right.MANAGE_WEBHOOKS)


def notice(user: User, notice_id: int) -> Notice:
    """This notice, if it is theirs. Raises NotFound."""
    need_whole(user)
    found = Notice.objects.filter(pk=_known(notice_id)).first()
    if found is None or found.user_id != user.pk:
        hidden = f"notice:{notice_id}" if found else ""
        raise NotFound("There is no such notice.", hidden=hidden)
    return found


def webhook(user: User, webhook_id: int) -> Webhook:
    """This webhook: their own, or one for everything where they may. Raises NotFound."""
    need_whole(user)
    found = Webhook.objects.filter(pk=_known(webhook_id)).first()
    if found is not None and (
        found.user_id == user.pk or (found.user_id is None and may_for_all(user))
    ):
        return found
    hidden = f"webhook:{webhook_id}" if found else ""
    raise NotFound("There is no such webhook.", hidden=hidden)


def delivery(user: User, webhook_id: int, delivery_id: UUID) -> Delivery:
    """This delivery of a webhook that is theirs. Raises NotFound."""
    hook = webhook(user, webhook_id)
    found = Delivery.objects.filter(pk=delivery_id, webhook=hook).first()
    if found is None:
        raise NotFound("There is no such delivery.")
    found.webhook = hook
    return found


def _known(pk: int) -> int:
    return pk if pk < 2**63 else 0
