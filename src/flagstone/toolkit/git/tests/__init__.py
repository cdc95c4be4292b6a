"""Tests with the real git."""
