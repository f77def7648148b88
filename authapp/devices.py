"""What a browser calls itself, in words a person would use."""

from functools import lru_cache

UNKNOWN = "Unknown device"


@lru_cache(maxsize=1024)
def device(user_agent: str) -> str:
    """Return `Firefox on Linux` for a User-Agent header, or what can be told of it."""
    # Its patterns take longer to load than a page to answer, and only two pages need them.
    from ua_parser import parse  # noqa: PLC0415 - see above

    try:
        found = parse(user_agent)
    except Exception:  # noqa: BLE001 - anybody sends what they like, and its patterns do not foresee everything
        return UNKNOWN
    names = [part.family for part in (found.user_agent, found.os) if part is not None and part.family != "Other"]
    return " on ".join(names) or UNKNOWN
