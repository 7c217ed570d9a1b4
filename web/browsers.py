"""What somebody looks through, in two words, so that they know their own sessions again."""

_BROWSERS = (("Edg", "Edge"), ("Firefox", "Firefox"), ("Chrome", "Chrome"), ("Safari", "Safari"))
"""By a word that the browser says of itself; the first that fits, since each names its rivals."""
_SYSTEMS = (
    ("Windows", "Windows"),
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("Mac OS", "macOS"),
    ("Linux", "Linux"),
)


def named(agent: str) -> str:
    """``Edge, Windows`` of what a browser says of itself; '' when neither is known."""
    found = (
        next((name for word, name in known if word in agent), "") for known in (_BROWSERS, _SYSTEMS)
    )
    return ", ".join(name for name in found if name)
