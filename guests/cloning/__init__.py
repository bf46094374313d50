"""New guests from old ones: full and linked clones, templates."""
