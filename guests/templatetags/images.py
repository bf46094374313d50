"""Images in templates."""

from django import template
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString

from guests.creation import osinfo
from guests.images.models import Image

register = template.Library()

_LOOKS = {  # whose shape and colour a state has
    Image.State.READY: "succeeded",
    Image.State.FAILED: "failed",
    Image.State.AWAITING: "queued",
}


@register.filter
def image_state(state: str) -> SafeString:
    """Shape, colour and word of an image's state."""
    look = _LOOKS.get(Image.State(state), "working")
    return format_html(
        '<span class="state" data-state="{}"><svg class="shape" aria-hidden="true">'
        '<use href="{}#state-{}"/></svg><span>{}</span></span>',
        look, static("icons.svg"), look, state,
    )  # fmt: skip


@register.filter
def os_name(os_id: str) -> str:
    """A system's name instead of its osinfo id."""
    return osinfo.name_of(os_id)
