"""The API of guests."""

from ninja import Router

router = Router()
