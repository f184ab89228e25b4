"""The framework of this course, one file per module, exported by `nox -s sync`."""
