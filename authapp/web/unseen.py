"""Answers to requests the app never saw, because they did not arrive whole: no template, no thread, no database."""

import json
from html import escape

from authapp.web.errors import TITLES, problem
from authapp.web.security import HEADERS, is_below_api

PAGE = """<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="color-scheme" content="light dark">
  <title>{title} · authapp</title>
  <link rel="icon" href="/static/icon.svg" type="image/svg+xml">
  <link rel="stylesheet" href="/static/vendor/pico.min.css">
  <link rel="stylesheet" href="/static/app.css">
</head>
<body class="centred">
<main><article class="card"><h1>{title}</h1><p>{text}</p></article></main>
</body>
</html>
"""


def refusal(path: str, status: int, text: str) -> tuple[dict[str, str], str]:
    """Return headers and text of a refusal: below the API's address a problem, elsewhere a page."""
    if is_below_api(path):
        kind, body = "application/problem+json", json.dumps(problem(status, text))
    else:
        kind, body = "text/html; charset=utf-8", PAGE.format(title=escape(TITLES[status]), text=escape(text))
    return {"Content-Type": kind, "Cache-Control": "no-store", **HEADERS}, body
