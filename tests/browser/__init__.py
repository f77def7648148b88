"""Tests in Chromium, against a server started as a user starts it."""
