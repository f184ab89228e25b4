"""The one kind of error that a person is meant to read."""


class CourseError(Exception):
    """Something a person has to mend: the message names the file, what is wrong and what to do."""


class Ungradable(Exception):
    """Why a submission gets 0 without being run to its end."""
