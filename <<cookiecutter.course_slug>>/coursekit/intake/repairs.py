"""What was put right in a submission, for its student and its instructor to read."""


class RepairLog(dict[str, list[str]]):
    """What was done, in order, and the names of the cells to which it was done."""

    def add(self, what: str, cell: str = "") -> None:
        names = self.setdefault(what, [])
        if cell and cell not in names:
            names.append(cell)

    def clauses(self) -> list[str]:
        """Return a clause for each thing done: `moved back to their place: a, b, c and 4 more`."""
        return [clause(what, names) for what, names in self.items()]


def clause(what: str, names: list[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{what}: {', '.join(names[:3])}{more}" if names else what
