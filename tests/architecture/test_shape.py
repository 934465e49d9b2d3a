"""The shape of the code, as its design fixes it."""

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path
from statistics import median

import pytest

import telic
from telic.domain import errors
from telic.storage.drivers.postgres_statements import PostgresStatement
from telic.storage.drivers.sqlite_transaction import ROW_READS
from telic.storage.statements import load_statements, parameter_names
from tests.architecture.shape import MEASURES, Source, too_far

SOURCE = Path(telic.__file__).parent
MODULES = sorted(SOURCE.rglob("*.py"))
FUNCTION_LINES = 50
FILE_LINES = 300
MEDIAN_LINES = 8


def functions() -> list[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    return [
        (f"{path.relative_to(SOURCE)}:{node.name}", node)
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (node.end_lineno or 0) - node.lineno + 1


def test_functions_and_files_are_small() -> None:
    """No function over 50 lines, half of them at most 8, no file over 300."""
    assert [name for name, node in functions() if length(node) > FUNCTION_LINES] == []
    assert median(length(node) for _, node in functions()) <= MEDIAN_LINES
    assert [path.name for path in MODULES if len(path.read_text().splitlines()) > FILE_LINES] == []


def test_the_shape_is_no_worse_than_its_limits() -> None:
    """`python -m tests.architecture.shape` prints the table; a limit that is not the aim yet only gets stricter."""
    source = Source.read()
    values = {measure.name: measure.count(source) for measure in MEASURES}
    limits = {measure.name: measure.aim if measure.now is None else measure.now for measure in MEASURES}
    assert [(name, values[name], limits[name]) for name in too_far(values, limits)] == []


def test_no_suppressions_in_the_source() -> None:
    """The type checkers are never told to look away."""
    silenced = re.compile(r"type: ignore|pyright: ignore|noqa")
    assert [path.name for path in MODULES if silenced.search(path.read_text())] == []


def test_no_mutable_state_in_modules() -> None:
    """Module-level names are constants, functions and classes."""
    rebinding = [
        f"{path.name}:{node.lineno}"
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Global)
    ]
    assert rebinding == []


def test_dialects_are_known_to_drivers_only() -> None:
    """No rule asks which database it runs on."""
    asking = re.compile(r"dialect\s*==|is_sqlite|is_postgres\b")
    places = [path.relative_to(SOURCE) for path in MODULES if asking.search(path.read_text())]
    assert [place for place in places if "drivers" not in place.parts] == []


def test_nobody_reaches_into_a_store() -> None:
    """Outside the store's own packages, its private attributes are never touched: it has methods for everybody."""
    with telic.connect(":memory:") as store:
        private = {name for name in dir(store) if name.startswith("_") and not name.startswith("__")}
    assert {"_driver", "_context"} <= private
    reaching = [
        f"{path.relative_to(SOURCE)}:{node.lineno}: {ast.unparse(node)}"
        for path in MODULES
        if path.relative_to(SOURCE).parts[0] != "store"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in private
        if not (isinstance(node.value, ast.Name) and node.value.id in ("self", "cls"))
    ]
    assert reaching == []


def test_public_names_are_exported() -> None:
    """Every error is in `telic.errors`, `telic` itself has few names, and finds those of its modules too."""
    kinds = {name for name, kind in vars(errors).items() if inspect.isclass(kind) and issubclass(kind, Exception)}
    assert kinds == set(telic.errors.__all__)
    assert len(telic.__all__) <= 50
    assert all(hasattr(telic, name) for name in telic.__all__)
    for module in (telic.errors, telic.types):
        assert all(getattr(telic, name) is getattr(module, name) for name in module.__all__)
    with pytest.raises(AttributeError):
        _ = telic.NoSuchName  # type: ignore[attr-defined]


def test_statements_and_their_callers_agree() -> None:
    """Each named statement is used, each name used is a statement, and both databases take the same parameters."""
    sqlite, postgres = load_statements("sqlite"), load_statements("postgres")
    # SQLite's driver alone remembers where it found a row.
    of_sqlite = {f"{name}.{part}" for name in ROW_READS for part in ("at_rowid", "rowid_of")}
    assert sqlite.keys() - of_sqlite == postgres.keys()
    assert of_sqlite <= sqlite.keys()
    for name in postgres:
        assert set(parameter_names(sqlite[name])) == set(parameter_names(postgres[name])), name
    source = "".join(path.read_text() for path in MODULES)
    used = set(
        re.findall(
            r'"((?:goals|turns|events|loop|records|holds|leases|waits|feed|identity|reports)\.(?!db)[a-z_]+)"', source
        )
    )
    listings = ("goals.list", "goals.list_oldest")
    used |= {
        listing + scope + status
        for listing in listings
        for scope in ("", "_in_scope")
        for status in ("", "_with_status")
    }
    assert used == set(postgres)


def test_parameters_are_numbered_in_the_order_of_their_values() -> None:
    """`$2` is the second name, also where a name comes twice."""
    text = "SELECT :b, :a, :b"
    statement = PostgresStatement.of(text)
    assert statement.sql == b"SELECT $1, $2, $1"
    assert statement.values({"a": 1, "b": 2}) == [2, 1]


def test_importing_telic_loads_apsw_alone() -> None:
    """No third-party module but apsw, and psycopg and the command's libraries not at all."""
    script = (
        "import sys, telic, sysconfig;"
        "names = {name.split('.')[0] for name, module in sys.modules.items()"
        " if 'site-packages' in (getattr(module, '__file__', None) or '')};"
        "print(sorted(names - {'telic', 'apsw', '_distutils_hack'}))"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_importing_telic_loads_no_decimals() -> None:
    """They take a tenth of the whole import, for programs of which most never ask what something cost."""
    script = "import sys, telic; telic.Budget(tokens=1); print('decimal' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "False"


@pytest.mark.parametrize("path", [path for path in MODULES if path.name != "__main__.py"], ids=lambda path: path.stem)
def test_every_module_says_what_it_is_for(path: Path) -> None:
    """A newcomer reads one sentence at the top of each file."""
    assert ast.get_docstring(ast.parse(path.read_text()))
