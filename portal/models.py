"""The rooms' rows; here so that Django finds them."""

from portal.ledger import models as ledger_rows  # noqa: F401
