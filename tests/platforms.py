"""Marks of tests that run on some platforms only."""

import sys

import pytest

LIMITS_MEMORY = pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the address space")
HAS_PROC = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
HAS_SIGNALS = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals")
