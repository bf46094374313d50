"""Where guests belong and who suffers: rules, proposals, and what runs by itself."""
