"""The API of hosts."""

from ninja import Router

router = Router()
