"""What hosts said, stored and announced, only if new. The only writer of fact columns."""

from hosts.recorders import recorder as recorder
