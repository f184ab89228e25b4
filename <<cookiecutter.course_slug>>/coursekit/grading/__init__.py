"""Decides: `grade_one` from a submission's bytes to a graded submission, and the loop around it."""
