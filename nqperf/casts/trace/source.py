"""The text behind a place: its lines, its function's name, and the expression that an edit rewrites."""

from __future__ import annotations

import ast
import functools
import linecache
from pathlib import Path

from nqperf.casts.trace.records import SourceLocation, Span

_SYMBOLS = {
    "AddV2": (ast.Add,),
    "add": (ast.Add,),
    "Sub": (ast.Sub,),
    "subtract": (ast.Sub,),
    "Mul": (ast.Mult,),
    "multiply": (ast.Mult,),
    "RealDiv": (ast.Div,),
    "true_divide": (ast.Div,),
    "MatMul": (ast.MatMult,),
    "BatchMatMulV2": (ast.MatMult,),
    "matmul": (ast.MatMult,),
    "Pow": (ast.Pow,),
    "Maximum": (),
}


def text_of(location: SourceLocation) -> str:
    """Return the line at `location`, "" when the file cannot be read."""
    return linecache.getline(location.path, location.line).rstrip("\n")


def context(location: SourceLocation) -> list[tuple[int, str]]:
    """Return up to three numbered lines: the one before `location`, the line itself, the one after."""
    numbered = [
        (number, linecache.getline(location.path, number)) for number in range(location.line - 1, location.line + 2)
    ]
    return [(number, text.rstrip("\n")) for number, text in numbered if number >= 1 and text]


def caret(location: SourceLocation) -> tuple[int, int]:
    """Return the columns (0-based start, exclusive end) to underline on the line of `location`."""
    text = text_of(location)
    start = location.column if location.column is not None else len(text) - len(text.lstrip())
    one_line = location.end_column is not None and location.end_line == location.line
    end = location.end_column if one_line and location.end_column is not None else len(text)
    # co_positions counts bytes; lines with other characters are few, and the caret is then only too far right.
    return start, max(end, start + 1)


@functools.lru_cache(maxsize=256)
def module_of(path: str) -> str:
    """Return the dotted name of the module in the file `path`.

    Its packages are the folders that hold an __init__.py.
    """
    file = Path(path)
    parts = [] if file.stem == "__init__" else [file.stem]
    folder = file.parent
    while (folder / "__init__.py").is_file():
        parts.append(folder.name)
        folder = folder.parent
    return ".".join(reversed(parts))


def text_at(path: str) -> str:
    """Return the whole source of the file `path`, "" when it cannot be read."""
    return "".join(linecache.getlines(path))


def tree_of(path: str) -> ast.Module | None:
    """Return the parsed source of the file `path`, None when it is no Python."""
    return _parsed(text_at(path))


@functools.lru_cache(maxsize=256)
def _parsed(text: str) -> ast.Module | None:
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError):
        return None


def _nodes_of(path: str) -> tuple[ast.AST, ...]:
    """Return all nodes of the source of the file `path`, breadth first; none when it is no Python."""
    return _walked(text_at(path))


@functools.lru_cache(maxsize=256)
def _walked(text: str) -> tuple[ast.AST, ...]:
    tree = _parsed(text)
    return () if tree is None else tuple(ast.walk(tree))


def function_at(location: SourceLocation) -> str:
    """Return the qualified name of the function around `location` (without `<locals>`), "" at module level."""
    tree = tree_of(location.path)
    names: list[str] = []
    node: ast.AST | None = tree
    while node is not None:
        inner = None
        for child in ast.walk(node):
            if child is not node and isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                first = min([child.lineno, *(decorator.lineno for decorator in child.decorator_list)])
                if first <= location.line <= (child.end_lineno or child.lineno):
                    inner = child
                    break  # ast.walk goes breadth first: the outermost definition comes first
        if inner is not None:
            names.append(inner.name)
        node = inner
    return ".".join(names)


def expression(location: SourceLocation, op_type: str) -> ast.expr | ast.AugAssign | None:
    """Return the expression being executed at `location`; by the symbol of `op_type` where no columns are known."""
    best: ast.expr | ast.AugAssign | None = None
    for node in _nodes_of(location.path):
        if not isinstance(node, ast.BinOp | ast.Call | ast.Compare | ast.AugAssign | ast.UnaryOp):
            continue
        if location.column is not None:
            here = (node.lineno, node.col_offset, node.end_lineno, node.end_col_offset)
            if here == (location.line, location.column, location.end_line, location.end_column):
                return node
        elif node.lineno <= location.line <= (node.end_lineno or node.lineno):
            symbol = getattr(node, "op", None)
            if symbol is not None and isinstance(symbol, _SYMBOLS.get(op_type, ())):
                return node
            best = best or (node if isinstance(node, ast.Call) else None)
    return best


def span(node: ast.expr | ast.AugAssign) -> Span:
    """Return the lines and columns of `node`."""
    return (node.lineno, node.col_offset, node.end_lineno or node.lineno, node.end_col_offset or node.col_offset)


def operands(node: ast.AST | None) -> list[ast.expr]:
    """Return the operands of the expression `node` in order, lists in calls spread out."""
    if isinstance(node, ast.BinOp):
        return [node.left, node.right]
    if isinstance(node, ast.AugAssign):
        return [node.target, node.value]
    if isinstance(node, ast.Compare):
        return [node.left, *node.comparators]
    if isinstance(node, ast.Call):
        spread: list[ast.expr] = []
        for argument in [*node.args, *(keyword.value for keyword in node.keywords)]:
            held = argument.value if isinstance(argument, ast.Starred) else argument
            if isinstance(held, ast.List | ast.Tuple):
                spread += held.elts
            else:
                spread += held.values if isinstance(held, ast.Dict) else [argument]
        return spread
    return []


def parts_of(node: ast.AST) -> list[ast.expr]:
    """Return the operands of `node` that may be tensors: no functions, strings, integers or lists of these."""
    return [part for part in operands(node) if not isinstance(part, ast.Lambda | ast.Starred) and not _is_setting(part)]


def _is_setting(part: ast.expr) -> bool:
    try:
        value = ast.literal_eval(part)
    except (ValueError, TypeError, SyntaxError):
        return False
    flat = value if isinstance(value, list | tuple) else [value]
    return not any(isinstance(each, float | list | tuple) for each in flat)


def statement(path: str, line: int) -> ast.stmt | None:
    """Return the innermost statement of the file `path` that holds the `line`."""
    found = None
    for node in _nodes_of(path):
        if isinstance(node, ast.stmt) and node.lineno <= line <= (node.end_lineno or node.lineno):
            found = node  # ast.walk goes breadth first: the innermost comes last
    return found


def nodes_at(path: str, line: int) -> list[ast.stmt | ast.expr]:
    """Return the statements and expressions of the file at `path` that hold `line`, the innermost first."""
    found = [
        node
        for node in _nodes_of(path)
        if isinstance(node, ast.stmt | ast.expr) and node.lineno <= line <= (node.end_lineno or node.lineno)
    ]
    return found[::-1]


def function_of(path: str, line: int) -> ast.FunctionDef | None:
    """Return the innermost named function of the file at `path` that holds `line`, None at module level."""
    return next((node for node in nodes_at(path, line) if isinstance(node, ast.FunctionDef)), None)


def parameters_at(location: SourceLocation) -> list[str]:
    """Return the parameters that can be named at `location`: those of the functions around it, the innermost first."""
    names: dict[str, None] = {}
    for node in nodes_at(location.path, location.line):
        around = location.span is None or isinstance(node, ast.stmt) or _encloses(span(node), location.span)
        if around and isinstance(node, ast.FunctionDef | ast.Lambda):
            names |= dict.fromkeys(
                each.arg for each in [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            )
    return list(names)


def _encloses(outer: Span, inner: Span) -> bool:
    return outer[:2] <= inner[:2] and inner[2:] <= outer[2:]


def definition(path: str, name: str, line: int) -> ast.FunctionDef | None:
    """Return the function `name` of the file at `path`; of several the last one that is defined before `line`."""
    found = [node for node in _nodes_of(path) if isinstance(node, ast.FunctionDef) and node.name == name]
    before = [node for node in found if node.lineno <= line]
    return max(before or found, key=lambda node: node.lineno, default=None)


def statements_before(path: str, node: ast.stmt | ast.expr) -> list[ast.stmt]:
    """Return the statements before `node` in the function around it, in the file at `path`, the nearest first."""
    function = function_of(path, node.lineno)
    if function is None:
        return []
    inside = [each for each in ast.walk(function) if isinstance(each, ast.stmt) and each is not function]
    return sorted((each for each in inside if each.lineno < node.lineno), key=lambda each: -each.lineno)


def node_at(path: str, wanted: Span) -> ast.expr | None:
    """Return the widest expression of the file `path` that stands exactly at the span `wanted`."""
    for node in _nodes_of(path):
        if isinstance(node, ast.expr) and span(node) == wanted:
            return node
    return None


def cast_names(path: str) -> list[str]:
    """Return the calls by which the file at `path` can cast, by the names that it has imported; the best first."""
    return list(_cast_names(text_at(path)))


@functools.lru_cache(maxsize=256)
def _cast_names(text: str) -> tuple[str, ...]:
    names: dict[str, str] = {}
    for node in _walked(text):
        if isinstance(node, ast.Import):
            for alias in node.names:
                # "import a.b" binds a alone, and a.b is what it is called by
                names.setdefault(alias.name, alias.asname or alias.name)
                if alias.asname is None:
                    names.setdefault(alias.name.split(".")[0], alias.name.split(".")[0])
        elif isinstance(node, ast.ImportFrom) and not node.level:
            for alias in node.names:
                names.setdefault(f"{node.module}.{alias.name}", alias.asname or alias.name)
    return tuple(f"{names[module]}.{call}" for module, call in _CASTS if module in names)


_CASTS = (
    ("keras.ops", "cast"),
    ("keras", "ops.cast"),
    ("tensorflow", "cast"),
    ("tensorflow.compat.v1", "cast"),
    ("tensorflow.compat.v2", "cast"),
    ("tensorflow.keras.backend", "cast"),
    ("keras.backend", "cast"),
    ("tf_keras.backend", "cast"),
    ("tensorflow.keras", "backend.cast"),
    ("tf_keras", "backend.cast"),
)
