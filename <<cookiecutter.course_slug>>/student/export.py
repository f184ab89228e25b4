"""`python export.py MODULE …` does what `course export MODULE …` does."""

import sys
from pathlib import Path

from course.exporting import main

if __name__ == "__main__":
    sys.exit(main(Path(__file__).resolve().parent, sys.argv[1:]))
