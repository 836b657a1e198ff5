"""Numbers with their nouns."""


def format_count(number: int, noun: str) -> str:
    """Return a number with its noun, such as `1 page` or `1,200 pages`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
