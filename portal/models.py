"""The rooms' rows; here so that Django finds them."""

from portal.flavors import models as flavor_rows  # noqa: F401
from portal.keys import models as key_rows  # noqa: F401
from portal.leases import models as lease_rows  # noqa: F401
from portal.ledger import models as ledger_rows  # noqa: F401
from portal.projects import models as project_rows  # noqa: F401
from portal.requests import models as request_rows  # noqa: F401
from portal.showback import models as showback_rows  # noqa: F401
from portal.telling import models as telling_rows  # noqa: F401
