"""Where somebody is signed in, and ending that from anywhere."""
