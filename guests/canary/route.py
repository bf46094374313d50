"""In which order a canary goes round: each way once, none walked for nothing. Pure."""

import itertools
from collections.abc import Sequence

Leg = tuple[int, int]


def legs(hosts: Sequence[int]) -> list[Leg]:
    """Every way from one host to another, each beginning where the last one ended.

    A closed walk over all ordered pairs: there is one for any number of hosts, for as
    many ways lead to each as lead away from it.
    """
    ways = {host: [other for other in hosts if other != host] for host in hosts}
    if len(ways) < 2:
        return []
    stack, walk = [next(iter(ways))], list[int]()
    while stack:
        if ways[stack[-1]]:
            stack.append(ways[stack[-1]].pop())
        else:
            walk.append(stack.pop())
    walk.reverse()
    return list(itertools.pairwise(walk))
