"""Tests of taxes that a service says."""
