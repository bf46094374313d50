"""Moving guests from host to host: may it, what it costs, the move, what came true."""
