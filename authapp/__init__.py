"""authapp: the login for things you host yourself."""

__version__ = "0.1.0"
