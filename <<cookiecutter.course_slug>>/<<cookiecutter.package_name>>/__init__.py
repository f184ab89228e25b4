"""The framework of this course, one file for each module."""
