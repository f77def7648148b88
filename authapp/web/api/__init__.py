"""`/api/v1`: what programs may ask, one module for each thing it is about."""

from authapp.web.api import account, audit, documents, entrance, locks, organization, settings, tokens, users
from authapp.web.api.blueprint import bp

__all__ = [
    "account",
    "audit",
    "bp",
    "documents",
    "entrance",
    "locks",
    "organization",
    "settings",
    "tokens",
    "users",
]
