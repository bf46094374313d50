"""Letters that let somebody in: invitations, and links for a new password."""
