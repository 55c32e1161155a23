"""Pages of Markdown, as the scripts beside this file write them."""

from collections.abc import Iterable, Sequence


def page_of(title: str, *blocks: str) -> str:
    """A page under a title: paragraphs and tables, an empty line before each."""
    return "\n\n".join([f"# {title}", *blocks]) + "\n"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], words: Sequence[int] = (0,)) -> str:
    """A table; columns of `words` stand to the left, those of figures to the right."""
    rule = ["---" if column in words else "---:" for column in range(len(heads))]
    return "\n".join("| " + " | ".join(row) + " |" for row in (heads, rule, *rows))
