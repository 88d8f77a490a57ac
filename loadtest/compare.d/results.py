"""Results of a run: the rounds of each cell, medians and spread, ratios of what was measured in turn."""

from statistics import median


class Rounds:
    """All rounds of all cells that had the machine as it is, or of those for which its idle cores polled."""

    def __init__(self, run, polls=False):
        self.rows = [row for row in run["results"] if row["cell"].get("polls", False) == polls]

    def cells(self, group):
        """The cells of a group, each once, in the order in which they were measured."""
        out = []
        for row in self.rows:
            if row["cell"]["group"] == group and row["cell"] not in out:
                out.append(row["cell"])
        return out

    def find(self, group, subject, **wanted):
        """The cell of a group that is so; `None` if it was not measured."""
        for cell in self.cells(group):
            same = all(cell[name] == value for name, value in wanted.items())
            if cell["subject"] == subject and same:
                return cell
        return None

    def of(self, cell, what):
        """A figure of each sound round, by the number of the round."""
        return {
            row["round"]: row[what]
            for row in self.rows
            if row["cell"] == cell and what in row and not row.get("faults")
        }

    def value(self, cell, what):
        """Median and spread of a figure; `None` without sound rounds."""
        return spread(self.of(cell, what).values()) if cell else None

    def compared(self, one, what, other, combine):
        """Two cells' figures combined round by round, so that what disturbs both does not count."""
        if not (one and other):
            return None
        left, right = self.of(one, what), self.of(other, what)
        return spread(combine(left[at], right[at]) for at in left if at in right)

    def ratio(self, one, other, what="cpu_us"):
        return self.compared(one, what, other, lambda a, b: a / b if b else 0.0)

    def difference(self, one, other, what):
        return self.compared(one, what, other, lambda a, b: a - b)

    def marks(self, cell):
        """What went wrong in rounds of a cell."""
        out = []
        for row in self.rows:
            if row["cell"] == cell:
                faults = row.get("faults", [])
                faults = faults + ([row["error"].splitlines()[0]] if "error" in row else [])
                out += [f"round {row['round'] + 1}: {fault}" for fault in faults]
        return out


class Spread:
    """A median with the least and the greatest value."""

    def __init__(self, values):
        self.median = median(values)
        self.least = min(values)
        self.most = max(values)

    def text(self, digits=2):
        if self.least == self.most:
            return f"{self.median:.{digits}f}"
        return f"{self.median:.{digits}f} ({self.least:.{digits}f} to {self.most:.{digits}f})"

    def times(self, factor):
        return Spread([self.median * factor, self.least * factor, self.most * factor])


def spread(values):
    values = list(values)
    return Spread(values) if values else None
