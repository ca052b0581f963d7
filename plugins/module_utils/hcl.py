"""A reader of HCL's native syntax, as much of it as stacks and modules use.

`parse(text)` returns a Body of attributes and blocks; expressions become tuples whose first
element names the kind (see `Parser.expression`). What it can't read raises HclError, so that
nothing is taken for known that is not. Specification: hashicorp/hcl, hclsyntax/spec.md.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

Expression = tuple[Any, ...]
SPACE = re.compile(r"(?:[ \t\r]+|/\*.*?\*/|(?:#|//)[^\n]*)+", re.S)
SPACES = re.compile(r"(?:\s+|/\*.*?\*/|(?:#|//)[^\n]*)+", re.S)
NAME = re.compile(r"[^\W\d][\w-]*")
NUMBER = re.compile(r"\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
HEREDOC = re.compile(r"<<(-?)([^\W\d][\w-]*)\r?\n")
BINARY = (("||",), ("&&",), ("==", "!="), ("<=", ">=", "<", ">"), ("+", "-"), ("*", "/", "%"))
ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}


class HclError(ValueError):
    """Text that this reader does not understand; says where."""


@dataclass
class Body:
    attributes: dict[str, Expression] = field(default_factory=dict)
    blocks: list[tuple[str, list[str], Body]] = field(default_factory=list)


def parse(text: str) -> Body:
    """Return the body of a file. Raises HclError."""
    parser = Parser(text)
    body = parser.body(end=False)
    return body


class Parser:
    """Recursive descent over one text; `depth` above 0 means line ends don't matter."""

    def __init__(self, text: str) -> None:
        self.text, self.at, self.depth = text, 0, 0

    def fail(self, wanted: str) -> HclError:
        line = self.text.count("\n", 0, self.at) + 1
        return HclError(
            f"line {line}: {wanted} expected, found {self.text[self.at : self.at + 20]!r}"
        )

    def skip(self, lines: bool | None = None) -> None:
        pattern = SPACES if (self.depth > 0 if lines is None else lines) else SPACE
        found = pattern.match(self.text, self.at)
        if found:
            self.at = found.end()

    def peek(self, *words: str) -> str:
        self.skip()
        return next((word for word in words if self.text.startswith(word, self.at)), "")

    def take(self, *words: str) -> str:
        found = self.peek(*words)
        self.at += len(found)
        return found

    def want(self, word: str) -> None:
        if not self.take(word):
            raise self.fail(repr(word))

    def name(self) -> str:
        self.skip()
        found = NAME.match(self.text, self.at)
        if not found:
            raise self.fail("a name")
        self.at = found.end()
        return found.group()

    def body(self, end: bool) -> Body:
        body = Body()
        outer, self.depth = self.depth, 0
        while True:
            self.skip(lines=True)
            if self.at >= len(self.text):
                if end:
                    raise self.fail("'}'")
                break
            if end and self.text[self.at] == "}":
                self.at += 1
                break
            name = self.name()
            if self.peek("=") and not self.peek("=="):
                self.want("=")
                body.attributes[name] = self.expression()
                continue
            labels: list[str] = []
            while not self.peek("{"):
                if self.peek('"'):
                    self.want('"')
                    labels.append(str(self.template('"')[1]))
                else:
                    labels.append(self.name())
            self.want("{")
            body.blocks.append((name, labels, self.body(end=True)))
        self.depth = outer
        return body

    def inside(self, close: str) -> bool:
        """Return whether there is more before a closing bracket, which is taken else."""
        self.skip(lines=True)
        return not self.take(close)

    def expression(self) -> Expression:
        """Return one of ("value", v), ("template", parts), ("tuple", items), ("object", pairs),
        ("for", …), ("call", name, arguments, expanded), ("if", c, a, b), ("op", sign, a, b),
        ("not", a), ("minus", a), ("var", name), ("get", of, key), ("splat", of, rest)."""
        condition = self.binary(0)
        if self.take("?"):
            self.skip(lines=True)
            yes = self.expression()
            self.skip(lines=True)
            self.want(":")
            self.skip(lines=True)
            return ("if", condition, yes, self.expression())
        return condition

    def binary(self, level: int) -> Expression:
        if level == len(BINARY):
            return self.unary()
        left = self.binary(level + 1)
        while sign := self.peek(*BINARY[level]):
            self.at += len(sign)
            self.skip(lines=True)
            left = ("op", sign, left, self.binary(level + 1))
        return left

    def unary(self) -> Expression:
        if self.peek("!") and not self.peek("!="):
            self.want("!")
            return ("not", self.unary())
        if self.take("-"):
            return ("minus", self.unary())
        return self.postfix(self.primary())

    def postfix(self, left: Expression) -> Expression:
        while True:
            if self.peek("...") or not self.peek(".", "["):
                return left
            if self.take("[*]", ".*"):
                rest: Expression = ("item",)
                while self.peek(".", "[") and not self.peek("...", "[*]"):
                    rest = self.step(rest)
                left = ("splat", left, rest)
            else:
                left = self.step(left)

    def step(self, left: Expression) -> Expression:
        if self.take("."):
            number = NUMBER.match(self.text, self.at)
            if number and "." not in number.group():
                self.at = number.end()
                return ("get", left, ("value", int(number.group())))
            return ("get", left, ("value", self.name()))
        self.want("[")
        key = self.bracketed()
        self.skip(lines=True)
        self.want("]")
        return ("get", left, key)

    def bracketed(self) -> Expression:
        self.depth += 1
        self.skip()
        found = self.expression()
        self.skip()
        self.depth -= 1
        return found

    def primary(self) -> Expression:
        self.skip()
        if self.take('"'):
            return self.template('"')
        heredoc = HEREDOC.match(self.text, self.at)
        if heredoc:
            return self.heredoc(heredoc)
        number = NUMBER.match(self.text, self.at)
        if number:
            self.at = number.end()
            text = number.group()
            return ("value", int(text) if text.isdigit() else float(text))
        if self.take("("):
            found = self.bracketed()
            self.skip(lines=True)
            self.want(")")
            return found
        if self.take("["):
            return self.brackets("]")
        if self.take("{"):
            return self.brackets("}")
        name = self.name()
        if name in ("true", "false", "null"):
            return ("value", {"true": True, "false": False, "null": None}[name])
        if self.text.startswith("(", self.at):
            self.at += 1
            return self.call(name)
        return ("var", name)

    def call(self, name: str) -> Expression:
        arguments, expanded = [], False
        while self.inside(")"):
            arguments.append(self.bracketed())
            self.skip(lines=True)
            expanded = bool(self.take("...")) or expanded
            self.skip(lines=True)
            if not self.take(","):
                self.skip(lines=True)
                self.want(")")
                break
        return ("call", name, arguments, expanded)

    def brackets(self, close: str) -> Expression:
        self.skip(lines=True)
        word = NAME.match(self.text, self.at)
        if word and word.group() == "for" and self.text[word.end() : word.end() + 1].isspace():
            self.at = word.end()
            return self.loop(close)
        items: list[Any] = []
        while self.inside(close):
            if close == "}":
                items.append(self.pair())
                self.skip(lines=True)
                self.take(",")
                continue
            items.append(self.bracketed())
            self.skip(lines=True)
            if not self.take(","):
                self.skip(lines=True)
                self.want(close)
                break
        return ("object" if close == "}" else "tuple", items)

    def pair(self) -> tuple[Expression, Expression]:
        start = self.at
        word = NAME.match(self.text, self.at)
        if word:
            self.at = word.end()
        if word and self.peek("=", ":") and not self.peek("=="):
            key: Expression = ("value", word.group())
        else:
            self.at = start
            key = self.bracketed()
        self.skip(lines=True)
        if not self.take("=", ":"):
            raise self.fail("'='")
        self.skip(lines=True)
        outer, self.depth = self.depth, 0  # a line's end ends the value
        value = self.expression()
        self.depth = outer
        return key, value

    def loop(self, close: str) -> Expression:
        self.depth += 1
        names = [self.name()]
        if self.take(","):
            names.append(self.name())
        if self.name() != "in":
            raise self.fail("'in'")
        source = self.expression()
        self.want(":")
        first = self.expression()
        second = self.expression() if self.take("=>") else None
        grouped = bool(self.take("..."))
        word = NAME.match(self.text, self.at) if not self.peek(close) else None
        condition = None
        if word and word.group() == "if":
            self.at = word.end()
            condition = self.expression()
        self.depth -= 1
        self.skip(lines=True)
        self.want(close)
        return ("for", names, source, first, second, condition, grouped)

    def template(self, close: str) -> Expression:
        """Return a quoted text; what begins `${` is an expression of its own."""
        parts: list[Any] = []
        text = ""
        while True:
            if self.at >= len(self.text):
                raise self.fail(close)
            char = self.text[self.at]
            if char == close:
                self.at += 1
                break
            if char == "\\":
                mark = self.text[self.at + 1]
                if mark in "uU":
                    size = 4 if mark == "u" else 8
                    text += chr(int(self.text[self.at + 2 : self.at + 2 + size], 16))
                    self.at += 2 + size
                else:
                    text += ESCAPES.get(mark, mark)
                    self.at += 2
                continue
            piece = self.inserted()
            if isinstance(piece, str):
                text += piece
            else:
                parts += [text, piece]
                text = ""
        return ("value", text) if not parts else ("template", [*parts, text])

    def inserted(self) -> str | Expression:
        """Take one character, or what stands between `${` and `}`."""
        if self.text.startswith(("$${", "%%{"), self.at):
            self.at += 3
            return self.text[self.at - 2 : self.at]
        if self.text.startswith("${", self.at):
            self.at += 2 + self.text.startswith("~", self.at + 2)
            found = self.bracketed()
            self.skip(lines=True)
            self.take("~")
            self.want("}")
            return found
        if self.text.startswith("%{", self.at):
            raise self.fail("no template directive")
        self.at += 1
        return self.text[self.at - 1]

    def heredoc(self, begin: re.Match[str]) -> Expression:
        end = re.compile(rf"^[ \t]*{re.escape(begin.group(2))}[ \t]*\r?$", re.M).search(
            self.text, begin.end()
        )
        if not end:
            raise self.fail(begin.group(2))
        text = self.text[begin.end() : end.start()]
        if begin.group(1):
            lines = text.split("\n")
            margin = min((len(one) - len(one.lstrip()) for one in lines if one.strip()), default=0)
            text = "\n".join(one[margin:] for one in lines)
        inner = Parser(text)
        parts: list[Any] = []
        held = ""
        while inner.at < len(inner.text):
            piece = inner.inserted()
            if isinstance(piece, str):
                held += piece
            else:
                parts += [held, piece]
                held = ""
        self.at = end.end()
        return ("value", held) if not parts else ("template", [*parts, held])
