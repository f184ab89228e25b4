"""Work and marks to and from learning management systems (LMS)."""
