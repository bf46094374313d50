"""People whom others vouch for: an OpenID provider, an LDAP directory."""
