"""`python export.py MODULE …` does what `course export MODULE …` does."""

import sys
from pathlib import Path

from course.__main__ import main

if __name__ == "__main__":
    sys.exit(main(["export", *sys.argv[1:]], Path(__file__).resolve().parent))
