"""Where the figures go: between the markers of a suite in a file for people."""
from pathlib import Path


def fill(path: Path, suite, text):
    """Replaces what stands between `<!-- SUITE -->` and `<!-- /SUITE -->`. A file that is not there yet is made."""
    begin, end = f"<!-- {suite} -->", f"<!-- /{suite} -->"
    block = f"{begin}\n{text}{end}"
    if not path.exists():
        path.write_text(block + "\n")
        return
    old = path.read_text()
    if begin not in old or end not in old:
        raise SystemExit(f"{path} has no {begin} ... {end}: left alone")
    path.write_text(old[: old.index(begin)] + block + old[old.index(end) + len(end) :])
