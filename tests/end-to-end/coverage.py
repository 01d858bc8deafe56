"""docs/coverage.md and its short form in the README: tables of what was seen of which program. They are written from
what recordings just showed, and read back to be held against it."""

import collections
import os
import re

from harness import ROOT, check

PAGE = os.path.join(ROOT, "docs/coverage.md")
README = os.path.join(ROOT, "README.md")
MARK = "<!-- coverage: tests/end-to-end/cases_coverage.py writes this table -->\n"
HEAD = f"""# What is seen of which program

Each line is of a real program of that version. `whole` means: with the model provider of the tests on the other side,
every request and every answer was recorded with each of its bytes, under the right process, and as many calls of tools
as the answers held (plain and streamed, several calls at once, results sent back). `not run`: only its file was looked at
(`oisp-sensor ssl-info`). `–`: not recorded, or the program did not speak that version of HTTP in this test.

`OISP_WRITE_COVERAGE=1 tests/end-to-end/run.py build coverage` writes this page; without that variable the same
recordings are made, and it is a failure when the page says otherwise of a program that is at hand.
`OISP_TEST_ALL_VERSIONS=1` adds versions of Bun and Deno, `OISP_TEST_AGENTS=1` agents that are large to fetch.

"""
COLUMNS = ["program", "version", "TLS library", "found by, or why it is not read", "requests and answers", "tool calls",
           "HTTP/1.1", "HTTP/2"]
Row = collections.namedtuple("Row", "program version family how exchanges tools http1 http2")


def line(cells):
    return "| " + " | ".join(cells) + " |\n"


def table(columns, rows):
    return line(columns) + "|" + "---|" * len(columns) + "\n" + "".join(map(line, rows))


def read():
    """(program, version) -> Row, as the page has them."""
    if not os.path.exists(PAGE):
        return {}
    with open(PAGE) as file:
        cells = [[cell.strip() for cell in text.strip().strip("|").split("|")] for text in file if text.startswith("| ")]
    rows = [Row(*row) for row in cells[1:]]
    return {(row.program, row.version): row for row in rows}


def short(rows):
    """A line for each program, of all its versions with the same result."""
    versions = collections.defaultdict(list)
    for row in rows:
        way = ", ".join(name for name, cell in zip(COLUMNS[-2:], row[-2:]) if cell == "whole")
        result = (row.exchanges if row.family != "–" else f"{row.exchanges} ({row.how})", way or "–")
        versions[row.program, re.sub(r" [\d.]+$", "", row.family), *result].append(row.version)
    return table(["program", "versions", "TLS library", "requests, answers, tool calls", "over"],
                 [(program, ", ".join(which), *rest) for (program, *rest), which in versions.items()])


def readme_parts():
    with open(README) as file:
        before, _, rest = file.read().partition(MARK)
    check(rest, f"{README} has no place for the table")
    old, end, after = rest.partition("\n\n")
    return before + MARK, old + "\n", end[1:] + after


def write(seen, order):
    """`order`: the programs, as the page is to have them."""
    by_version = lambda row: [int(number) for number in re.findall(r"\d+", row.version)]
    rows = sorted({**read(), **seen}.values(), key=lambda row: (order.index(row.program), by_version(row)))
    with open(PAGE, "w") as file:
        file.write(HEAD + table(COLUMNS, rows))
    before, _, after = readme_parts()
    with open(README, "w") as file:
        file.write(before + short(rows) + after)


def compare(seen, pinned):
    """Those that are the same on every machine (`pinned`) must be there; others come with the system."""
    told = read()
    missing = [" ".join(name) for name in seen if name not in told and name in pinned]
    check(not missing, f"docs/coverage.md says nothing of {', '.join(missing)}")
    for name, row in seen.items():
        check(told.get(name, row) == row, f"docs/coverage.md has {tuple(told.get(name, row))}, but seen was {tuple(row)}")
    check(readme_parts()[1] == short(told.values()), "the README's short form is another than docs/coverage.md's")
