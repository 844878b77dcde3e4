"""Numbers as they are written everywhere: on pages and on terminals."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """Return a number with its noun.

    Example:
        >>> counted(1, "record"), counted(2000, "record")
        ('1 record', '2,000 records')
    """
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def seconds(value: float) -> str:
    """Return a duration as it is written everywhere.

    Example:
        >>> seconds(0.0421), seconds(1.25), seconds(90)
        ('42 ms', '1.2 s', '90 s')
    """
    if value < 1:
        return f"{value * 1000:.0f} ms"
    return f"{value:.0f} s" if value >= 10 else f"{value:.1f} s"  # noqa: PLR2004 - three digits


def distance(value: float) -> str:
    """Return a distance as it is written everywhere.

    Example:
        >>> distance(0), distance(12.3456)
        ('0.00', '12.35')
    """
    return f"{value:.2f}"
