"""Tests of hosted repositories."""
