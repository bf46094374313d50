"""Sockets ask again at once when the rights of their user change."""

from kvmweb.accounts.services import when_rights_change
from kvmweb.live.news import rights_changed

when_rights_change(rights_changed)
