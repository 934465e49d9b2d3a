"""The shape of the source in numbers: `python -m tests.architecture.shape` prints them beside their limits.

Generated files count nowhere but where they are named.
"""

import ast
import io
import tokenize
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import median, quantiles
from typing import Final, TypeAlias

import telic
from telic.services.outcomes import OUTCOMES

SOURCE: Final = Path(telic.__file__).parent
FunctionNode: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef

LINES_BEFORE: Final = 45_982
"""The hand-written lines of version 0.1, before what surfaces share was brought together."""
_GENERATED: Final = "# Generated from "
_MOVES: Final = frozenset({"approve", "clear", "complete", "create", "edit", "pause", "resume", "set_budget", "wake"})
"""The stores' methods with which an operator changes a goal."""
_STANDINGS: Final = frozenset({"approvals", "verification"})
_SURFACES: Final = ("interfaces", "services")
_TABLE_ROWS: Final = 5


@dataclass(frozen=True)
class Module:
    """One source file."""

    path: Path
    text: str
    tree: ast.Module

    @property
    def name(self) -> str:
        """The dotted name, without the leading `telic.`."""
        parts = self.path.relative_to(SOURCE).with_suffix("").parts
        return ".".join(part for part in parts if part != "__init__")

    @property
    def is_generated(self) -> bool:
        """Whether another file is its source."""
        return self.text.startswith(_GENERATED)

    @property
    def lines(self) -> int:
        """All lines, empty ones and comments too."""
        return len(self.text.splitlines())


@dataclass(frozen=True)
class Source:
    """All files of the package."""

    modules: tuple[Module, ...]

    @classmethod
    def read(cls, folder: Path = SOURCE) -> "Source":
        """Return the files in the folder."""
        texts = {path: path.read_text() for path in sorted(folder.rglob("*.py"))}
        return cls(tuple(Module(path, text, ast.parse(text)) for path, text in texts.items()))

    @property
    def for_the_same_features(self) -> list[Module]:
        """The files that people write, but for the contract for surfaces, which came with the rebuilding."""
        return [module for module in self.by_hand if not module.name.startswith("testing.surfaces")]

    @cached_property
    def by_hand(self) -> list[Module]:
        """The files that people write."""
        return [module for module in self.modules if not module.is_generated]

    @cached_property
    def nodes(self) -> list[tuple[Module, ast.AST]]:
        """Every node of every file that people write."""
        return [(module, node) for module in self.by_hand for node in ast.walk(module.tree)]

    @cached_property
    def functions(self) -> list[tuple[str, int]]:
        """Each function's place and name, and its length in lines."""
        found = ((module, node) for module, node in self.nodes if isinstance(node, FunctionNode))
        return [(f"{module.name}:{node.name}", (node.end_lineno or 0) - node.lineno + 1) for module, node in found]

    def class_names(self) -> Counter[str]:
        """How often each class name stands in files that people write."""
        return Counter(node.name for _, node in self.nodes if isinstance(node, ast.ClassDef))

    def callers_of(self, methods: frozenset[str]) -> set[str]:
        """The modules of surfaces and services that call such a method of a store."""
        return {
            module.name
            for module, node in self.nodes
            if isinstance(node, ast.Call) and _is_called_on_a_store(node, methods)
            if module.name.split(".")[0] in _SURFACES
        }

    def acting_modules(self) -> set[str]:
        """The modules of surfaces and services that call an operator's method of a store, also by a name in a table."""
        by_name = {
            module.name
            for module, node in self.nodes
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "getattr"
            if ast.unparse(node).startswith("getattr(store, _")
            if module.name.split(".")[0] in _SURFACES
        }
        return self.callers_of(_MOVES) | by_name

    def error_tables(self) -> set[str]:
        """The modules with a table that says something of several error codes."""
        codes = set(OUTCOMES)
        tables = ((module, node) for module, node in self.nodes if isinstance(node, ast.Dict | ast.Call))
        return {module.name for module, node in tables if len(codes.intersection(_keys(node))) >= _TABLE_ROWS}

    def comments_per_100_lines(self) -> float:
        """Comments for 100 lines that hold code."""
        tokens = [token for module in self.by_hand for token in _tokens(module.text)]
        comments = sum(token.type == tokenize.COMMENT for token in tokens)
        return 100 * comments / sum(len(_code_lines(module)) for module in self.by_hand)

    def circles(self) -> list[list[str]]:
        """Groups of modules that import one another, also for types only."""
        return _strongly_connected({module.name: set(self._imports(module)) for module in self.modules})

    def _imports(self, module: Module) -> Iterator[str]:
        names = {other.name for other in self.modules}
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("telic."):
                package = (node.module or "").removeprefix("telic.")
                found = [f"{package}.{alias.name}" for alias in node.names if f"{package}.{alias.name}" in names]
                yield from found or [package]


def _is_called_on_a_store(node: ast.Call, methods: frozenset[str]) -> bool:
    function = node.func
    if not isinstance(function, ast.Attribute) or function.attr not in methods:
        return False
    return ast.unparse(function.value).rpartition(".")[2].strip("_") == "store"


def _keys(node: ast.Dict | ast.Call) -> Iterator[object]:
    """Yield what a table, or a call that makes one, has its values under."""
    if isinstance(node, ast.Dict):
        yield from (key.value for key in node.keys if isinstance(key, ast.Constant))
    else:
        yield from (keyword.arg for keyword in node.keywords)


def _tokens(text: str) -> Iterator[tokenize.TokenInfo]:
    return tokenize.generate_tokens(io.StringIO(text).readline)


def _code_lines(module: Module) -> set[int]:
    """Return the numbers of the lines that hold more than comments and docstrings."""
    skipped = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    tokens = [token for token in _tokens(module.text) if token.type not in skipped]
    lines = {line for token in tokens for line in range(token.start[0], token.end[0] + 1)}
    return lines - {
        line for node in _docstrings(module.tree) for line in range(node.lineno, (node.end_lineno or 0) + 1)
    }


def _docstrings(tree: ast.Module) -> Iterator[ast.Expr]:
    for node in ast.walk(tree):
        for child in ast.iter_child_nodes(node):
            if (
                isinstance(child, ast.Expr)
                and isinstance(child.value, ast.Constant)
                and isinstance(child.value.value, str)
            ):
                yield child


def _strongly_connected(graph: dict[str, set[str]]) -> list[list[str]]:
    """Return the circles of a graph: two are in one circle where each can be reached from the other."""
    reached = {node: _reachable(graph, node) for node in graph}
    circles = {frozenset(other for other in reached[node] if node in reached[other]) for node in graph}
    return sorted(sorted(circle) for circle in circles if len(circle) > 1)


def _reachable(graph: dict[str, set[str]], start: str) -> set[str]:
    found, waiting = {start}, [start]
    while waiting:
        new = graph.get(waiting.pop(), set()) - found
        found |= new
        waiting += new
    return found


@dataclass(frozen=True)
class Measure:
    """One row: what is counted, how it was before, what it should be at most (or at least), and may not pass now."""

    name: str
    before: str
    aim: float
    count: Callable[[Source], float]
    now: float | None = None
    is_floor: bool = False

    def reaches(self, limit: float, value: float) -> bool:
        """Whether the value is within this limit."""
        return value >= limit if self.is_floor else value <= limit


def _lengths(source: Source) -> list[int]:
    return [length for _, length in source.functions]


MEASURES: Final = (
    Measure("places that implement an operator's action", "6", 1, lambda s: len(s.acting_modules())),
    Measure("tables from error code to meaning", "5", 1, lambda s: len(s.error_tables())),
    Measure("readings of how criteria stand", "4", 1, lambda s: len(s.callers_of(_STANDINGS))),
    Measure("source files for the same features", "359", 265, lambda s: len(s.for_the_same_features)),
    Measure("lines of the longest file", "289", 300, lambda s: max(module.lines for module in s.by_hand)),
    Measure(
        "source lines for the same features",
        f"{LINES_BEFORE}",
        int(0.93 * LINES_BEFORE),
        lambda s: sum(module.lines for module in s.for_the_same_features),
        now=44_217,
    ),
    Measure("class names used twice", "24", 0, lambda s: sum(count > 1 for count in s.class_names().values())),
    Measure("comments per 100 code lines", "0.6", 2, Source.comments_per_100_lines, is_floor=True),
    Measure("lines of a function: median", "6", 6, lambda s: median(_lengths(s))),
    Measure("lines of a function: 95 of 100", "22", 22, lambda s: quantiles(_lengths(s), n=100)[94]),
    Measure("lines of the longest function", "40", 40, lambda s: max(_lengths(s))),
    Measure("circles of imports", "1", 0, lambda s: len(s.circles())),
)


def too_far(values: dict[str, float], limits: dict[str, float]) -> list[str]:
    """Return the names of the rows whose value is beyond the limit."""
    return [each.name for each in MEASURES if not each.reaches(limits[each.name], values[each.name])]


def main() -> None:
    """Print each row: its value, its aim, how it was before, and whether the aim is reached."""
    source = Source.read()
    for measure in MEASURES:
        value = measure.count(source)
        bound = f"{'≥' if measure.is_floor else '≤'} {measure.aim:g}"
        verdict = "reached" if measure.reaches(measure.aim, value) else "not reached"
        print(f"{measure.name:<45} {value:>10.6g}  {bound:>9}  before: {measure.before:>7}  {verdict}")


if __name__ == "__main__":
    main()
