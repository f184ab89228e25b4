"""Keeps a course for years: a newer template, a new term."""
