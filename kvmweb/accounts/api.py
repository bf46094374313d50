"""The API of kvmweb/accounts."""

from ninja import Router

router = Router()
