"""Tests of the local process runtime, with real processes."""
