"""The canary: a tiny guest that is moved round all hosts, to prove that guests can be."""
