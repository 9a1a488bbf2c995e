"""A function that does nothing: what the runtime client takes by itself."""


def handler(event: object, _context: object) -> object:
    """The event, as it came."""
    return event
