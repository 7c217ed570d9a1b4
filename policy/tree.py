"""A tree given by each node's parent: whether it is one."""

from collections.abc import Mapping


def looped(parents: Mapping[str, str]) -> set[str]:
    """The nodes that come back to themselves by going up; a parent that is no key is a root."""
    settled: set[str] = set()
    found: set[str] = set()
    for node in parents:
        path: dict[str, None] = {}
        at = node
        while at in parents and at not in settled and at not in path:
            path[at] = None
            at = parents[at]
        if at in path:
            nodes = list(path)
            found.update(nodes[nodes.index(at) :])
        settled.update(path)
    return found
