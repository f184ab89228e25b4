"""The command `course`: what you do with the notebooks of this folder, but for writing them."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036  (`python -m course` runs in any Python)
    sys.exit(f"✗ This is Python {sys.version.split()[0]}: the course needs 3.11 or newer.")
