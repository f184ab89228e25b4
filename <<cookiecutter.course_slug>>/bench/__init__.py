"""What `nox -s bench` runs: framework against its peers, grading against nbgrader."""
