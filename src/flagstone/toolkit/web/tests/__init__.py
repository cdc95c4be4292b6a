"""Tests of the web toolkit."""
