"""What a plan leaves unknown, as far as the stack's HCL tells it.

A policy that names the ARN of a resource not yet made is wholly unknown to Terraform. Here it is
worked out again from the HCL with the plan's own variables: what is still unknown then is a
reference, `⟦address.attribute⟧`, and everything around it is known. Nothing is guessed: what
this doesn't know how to work out stays UNKNOWN.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.drydock.ops.plugins.module_utils.hcl import (
    Body,
    Expression,
    HclError,
    parse,
)
from ansible_collections.drydock.ops.plugins.module_utils.hcl_values import (
    FUNCTIONS,
    Json,
    Reference,
    attribute,
    known,
    operate,
    plain,
    text_of,
)
from ansible_collections.drydock.ops.plugins.module_utils.policies.model import (
    UNKNOWN,
    Resource,
    has_unknown,
)

STEP = re.compile(r"([\w-]+)(\[(?:\"((?:[^\"\\]|\\.)*)\"|(\d+))\])?")


def split(address: str) -> list[tuple[str, Any]]:
    """Return an address as (name, key of count or for_each) steps."""
    found, at = [], 0
    while at < len(address):
        step = STEP.match(address, at)
        if not step:
            raise ValueError(f"{address} is no address")
        key = step.group(3) if step.group(3) is not None else step.group(4)
        found.append((step.group(1), int(step.group(4)) if step.group(4) else key))
        at = step.end() + 1
    return found


@dataclass
class Module:
    """One instance of a module: its HCL, and where its variables come from."""

    folder: Path
    address: str = ""
    parent: Module | None = None
    call: Body | None = None
    each: dict[str, Any] = field(default_factory=dict)
    busy: set[str] = field(default_factory=set)
    done: dict[str, Any] = field(default_factory=dict)
    _body: Body | None = None

    @property
    def body(self) -> Body:
        if self._body is None:
            if list(self.folder.glob("*.tf.json")):
                raise HclError(f"{self.folder} has HCL in JSON")
            self._body = Body()
            files = sorted(self.folder.glob("*.tf"), key=lambda one: (_overrides(one), one.name))
            for path in files:
                for block in parse(path.read_text()).blocks:
                    if not (_overrides(path) and self._override(block)):
                        self._body.blocks.append(block)
        return self._body

    def _override(self, block: tuple[str, list[str], Body]) -> bool:
        """Merge a block of an override file into its namesake. Returns whether there is one."""
        kind, labels, body = block
        for other, names, held in self._body.blocks if self._body else []:
            same = other == kind and names == labels
            if same and (kind != "locals" or set(body.attributes) & set(held.attributes)):
                held.attributes |= body.attributes
                replaced = {one[0] for one in body.blocks}
                held.blocks = [one for one in held.blocks if one[0] not in replaced] + body.blocks
                return True
        return False

    def block(self, *labels: str) -> Body | None:
        """Return the block with these words, such as "resource", "aws_lb", "this"."""
        for kind, names, body in self.body.blocks:
            if (kind, *names) == labels:
                return body
        return None

    def local(self, name: str) -> Expression | None:
        for kind, _, body in self.body.blocks:
            if kind == "locals" and name in body.attributes:
                return body.attributes[name]
        return None


class Sources:
    """The HCL of a plan's stack. `fill` is what a View takes."""

    def __init__(self, plan: Mapping[str, Any], project_path: str | Path) -> None:
        self.variables = {
            name: one.get("value") for name, one in (plan.get("variables") or {}).items()
        }
        self.values: dict[str, Any] = {}
        for entry in plan.get("resource_changes") or []:
            change = entry["change"]
            if change["actions"] != ["delete"]:
                after = change.get("after")
                self.values[entry["address"]] = _hide(after, change.get("after_unknown"))
        prior = ((plan.get("prior_state") or {}).get("values") or {}).get("root_module") or {}
        self._prior(prior)
        self.modules: dict[str, Module] = {"": Module(Path(project_path))}

    def _prior(self, module: Mapping[str, Any]) -> None:
        for one in module.get("resources") or []:
            if one.get("mode") == "data":
                self.values.setdefault(one["address"], one.get("values"))
        for child in module.get("child_modules") or []:
            self._prior(child)

    def fill(self, resource: Resource, key: str) -> Any:
        """Return an attribute (or nested blocks) of a resource; UNKNOWN where nothing tells it."""
        try:
            module, rest = self._module_of(split(resource.address.removesuffix(" (deposed)")))
            (kind, _), (name, index) = rest[-2:]
            block = module.block("resource", kind, name)
            if block is None:
                return UNKNOWN
            scope = self._keys(module, block, index)
            return self._plainly(self._settings(block, key, module, scope), resource.get(key))
        except (HclError, OSError, ValueError, RecursionError):
            return UNKNOWN

    def configured(self, resource: Resource) -> frozenset[str] | None:
        """Return the attributes and blocks that the HCL sets; None where it can't be read."""
        try:
            module, rest = self._module_of(split(resource.address.removesuffix(" (deposed)")))
            block = module.block("resource", *(name for name, _ in rest[-2:]))
        except (HclError, OSError, ValueError):
            return None
        if block is None:
            return None
        kinds = (names[0] if kind == "dynamic" else kind for kind, names, _ in block.blocks)
        return frozenset([*block.attributes, *kinds])

    @staticmethod
    def _plainly(found: Any, planned: Any) -> Any:
        found = plain(found)
        return found if found is not UNKNOWN or planned is UNKNOWN else planned

    def _settings(self, block: Body, key: str, module: Module, scope: dict[str, Any]) -> Any:
        """Return an attribute's value, or a list of the nested blocks of that name."""
        if key in block.attributes:
            return self._value(block.attributes[key], module, scope)
        found: list[Any] = []
        for kind, labels, body in block.blocks:
            if kind == key and not labels:
                found.append(self._nested(body, module, scope))
            elif kind == "dynamic" and labels == [key]:
                items = self._value(body.attributes["for_each"], module, scope)
                if items is UNKNOWN or isinstance(items, Reference):
                    return UNKNOWN
                name = key
                if "iterator" in body.attributes:
                    name = str(body.attributes["iterator"][1])
                content = next(b for k, _, b in body.blocks if k == "content")
                for one, value in _pairs(items):
                    inner = {**scope, name: {"key": one, "value": value}}
                    found.append(self._nested(content, module, inner))
        return found or None

    def _nested(self, body: Body, module: Module, scope: dict[str, Any]) -> dict[str, Any]:
        held = {name: self._value(one, module, scope) for name, one in body.attributes.items()}
        for kind, labels, _ in body.blocks:
            name = labels[0] if kind == "dynamic" and labels else kind
            held.setdefault(name, self._settings(body, name, module, scope))
        return held

    def _module_of(self, steps: list[tuple[str, Any]]) -> tuple[Module, list[tuple[str, Any]]]:
        module, at = self.modules[""], 0
        while steps[at][0] == "module":
            module = self._child(module, *steps[at + 1])
            at += 2
        return module, steps[at:]

    def _child(self, parent: Module, name: str, key: Any) -> Module:
        mark = f"{parent.address}module.{name}{_index(key)}."
        if mark not in self.modules:
            call = parent.block("module", name)
            source = call.attributes.get("source") if call else None
            if call is None or source is None or not str(source[1]).startswith("."):
                raise ValueError(f"the source of module {name} is not in this project")
            self.modules[mark] = Module(
                (parent.folder / str(source[1])).resolve(), mark, parent, call,
                self._keys(parent, call, key),
            )  # fmt: skip
        return self.modules[mark]

    def _keys(self, module: Module, block: Body, key: Any) -> dict[str, Any]:
        """Return what each and count are in one instance of a block."""
        if "for_each" in block.attributes and key is not None:
            items = self._value(block.attributes["for_each"], module, {})
            value = key
            if isinstance(items, Mapping):
                value = items.get(key, UNKNOWN)
            elif items is UNKNOWN:
                value = UNKNOWN
            return {"each": {"key": key, "value": value}}
        return {"count": {"index": key}} if isinstance(key, int) else {}

    # --- expressions ---------------------------------------------------------------------

    def _value(self, one: Expression, module: Module, scope: dict[str, Any]) -> Any:
        kind = one[0]
        if kind == "value":
            return one[1]
        return getattr(self, f"_{kind}")(one, module, scope)

    def _template(self, one: Expression, module: Module, scope: dict[str, Any]) -> Any:
        parts = [
            part if isinstance(part, str) else self._value(part, module, scope) for part in one[1]
        ]
        if len(parts) == 3 and parts[0] == parts[2] == "":
            return parts[1]
        return text_of(parts)

    def _tuple(self, one: Expression, module: Module, scope: dict[str, Any]) -> Any:
        return [self._value(part, module, scope) for part in one[1]]

    def _object(self, one: Expression, module: Module, scope: dict[str, Any]) -> Any:
        found = {}
        for key, value in one[1]:
            name = self._value(key, module, scope)
            if not known(name):
                return UNKNOWN
            found[name if isinstance(name, str) else str(name)] = self._value(value, module, scope)
        return found

    def _item(self, one: Expression, module: Module, scope: dict[str, Any]) -> Any:
        return scope["*"]

    def _splat(self, one: Expression, module: Module, scope: dict[str, Any]) -> Any:
        source = self._value(one[1], module, scope)
        if source is UNKNOWN or isinstance(source, Reference):
            return UNKNOWN
        items = source if isinstance(source, list) else [] if source is None else [source]
        return [self._value(one[2], module, {**scope, "*": item}) for item in items]

    def _if(self, one: Expression, module: Module, scope: dict[str, Any]) -> Any:
        condition = self._value(one[1], module, scope)
        if isinstance(condition, bool):
            return self._value(one[2] if condition else one[3], module, scope)
        both = [self._value(side, module, scope) for side in one[2:]]
        if all(isinstance(side, list) for side in both):
            return [*both[0], *both[1]]  # either: what both hold is judged
        return UNKNOWN

    def _op(self, one: Expression, module: Module, scope: dict[str, Any]) -> Any:
        left, right = (self._value(side, module, scope) for side in one[2:])
        return operate(one[1], left, right)

    def _not(self, one: Expression, module: Module, scope: dict[str, Any]) -> Any:
        value = self._value(one[1], module, scope)
        return not value if isinstance(value, bool) else UNKNOWN

    def _minus(self, one: Expression, module: Module, scope: dict[str, Any]) -> Any:
        value = self._value(one[1], module, scope)
        return -value if isinstance(value, int | float) else UNKNOWN

    def _call(self, one: Expression, module: Module, scope: dict[str, Any]) -> Any:
        _, name, arguments, expanded = one
        if name == "try":
            for argument in arguments:
                found = self._value(argument, module, scope)
                if found is not UNKNOWN:
                    return found
            return UNKNOWN
        values = [self._value(argument, module, scope) for argument in arguments]
        if expanded:
            if not isinstance(values[-1], list):
                return UNKNOWN
            values = values[:-1] + values[-1]
        function = FUNCTIONS.get(name)
        try:
            return function(*values) if function else UNKNOWN
        except (TypeError, ValueError, KeyError, IndexError, AttributeError):
            return UNKNOWN

    def _for(self, one: Expression, module: Module, scope: dict[str, Any]) -> Any:
        _, names, source, first, second, condition, grouped = one
        items = self._value(source, module, scope)
        if not isinstance(items, list | Mapping) or grouped:
            return UNKNOWN
        listed: list[Any] = []
        mapped: dict[str, Any] = {}
        for key, value in _pairs(items):
            inner = {**scope, names[-1]: value}
            if len(names) == 2:
                inner[names[0]] = key
            if condition is not None:
                wanted = self._value(condition, module, inner)
                if not isinstance(wanted, bool):
                    return UNKNOWN
                if not wanted:
                    continue
            made = self._value(first, module, inner)
            if second is None:
                listed.append(made)
            elif known(made):
                mapped[str(made)] = self._value(second, module, inner)
            else:
                return UNKNOWN
        return listed if second is None else mapped

    # --- references ----------------------------------------------------------------------

    def _get(self, one: Expression, module: Module, scope: dict[str, Any]) -> Any:
        path, base = [], one
        while base[0] == "get":
            path.insert(0, base[2])
            base = base[1]
        steps = [
            step[1] if step[0] == "value" else self._value(step, module, scope) for step in path
        ]
        if base[0] != "var":
            return self._walk(self._value(base, module, scope), steps)
        if base[1] in scope:
            return self._walk(scope[base[1]], steps)
        return self._named(base[1], steps, module)

    def _var(self, one: Expression, module: Module, scope: dict[str, Any]) -> Any:
        return scope.get(one[1], UNKNOWN)

    @staticmethod
    def _walk(value: Any, steps: list[Any]) -> Any:
        for step in steps:
            value = attribute(value, step)
        return value

    def _named(self, root: str, steps: list[Any], module: Module) -> Any:
        if root in ("each", "count", "path", "terraform", "self"):
            return UNKNOWN
        if root == "var":
            return self._walk(
                self._once(module, f"var.{steps[0]}", steps[0], self._variable), steps[1:]
            )
        if root == "local":
            return self._walk(
                self._once(module, f"local.{steps[0]}", steps[0], self._local), steps[1:]
            )
        if root == "module":
            return self._output(module, steps)
        data = root == "data"
        kind, name, rest = (steps[0], steps[1], steps[2:]) if data else (root, steps[0], steps[1:])
        return self._object_of(module, data, kind, name, rest)

    def _once(self, module: Module, mark: str, name: str, work: Any) -> Any:
        """Work something out once per module; what leads back to itself is unknown."""
        if mark in module.done:
            return module.done[mark]
        if mark in module.busy:
            return UNKNOWN
        module.busy.add(mark)
        try:
            module.done[mark] = work(module, name)
        finally:
            module.busy.discard(mark)
        return module.done[mark]

    def _local(self, module: Module, name: str) -> Any:
        found = module.local(name)
        return UNKNOWN if found is None else self._value(found, module, {})

    def _variable(self, module: Module, name: str) -> Any:
        declared = module.block("variable", name)
        held = declared.attributes if declared else {}
        if module.parent is None and name in self.variables:
            value = self.variables[name]
        elif module.call is not None and name in module.call.attributes and module.parent:
            value = self._value(module.call.attributes[name], module.parent, module.each)
        elif "default" in held:
            value = self._value(held["default"], module, {})
        else:
            return UNKNOWN
        return self._typed(held["type"], value, module) if "type" in held else value

    def _typed(self, kind: Expression, value: Any, module: Module) -> Any:
        """Return a variable's value with what its type gives to attributes that are left out."""
        if kind[0] != "call" or not isinstance(value, Mapping | list) or not kind[2]:
            return value
        _, name, arguments, _ = kind
        if name == "optional":
            return self._typed(arguments[0], value, module)
        if name in ("list", "set", "map"):
            if isinstance(value, Mapping):
                return {key: self._typed(arguments[0], one, module) for key, one in value.items()}
            return [self._typed(arguments[0], one, module) for one in value]
        if name != "object" or not isinstance(value, Mapping):
            return value
        found = dict(value)
        for key, part in arguments[0][1]:
            word = self._value(key, module, {})
            default = part[0] == "call" and part[1] == "optional"
            if default and found.get(word) is None:
                found[word] = self._value(part[2][1], module, {}) if len(part[2]) > 1 else None
            if word in found:
                found[word] = self._typed(part, found[word], module)
        return found

    def _output(self, module: Module, steps: list[Any]) -> Any:
        call = module.block("module", steps[0])
        many = call is not None and ({"count", "for_each"} & set(call.attributes))
        key = steps[1] if many and len(steps) > 1 else None
        rest = steps[2:] if many else steps[1:]
        if not rest or (many and not isinstance(key, str | int)):
            return UNKNOWN
        child = self._child(module, steps[0], key)
        output = child.block("output", rest[0])
        if output is None or "value" not in output.attributes:
            return UNKNOWN
        found = self._once(
            child, f"output.{rest[0]}", rest[0],
            lambda m, n: self._value(output.attributes["value"], m, {}),
        )  # fmt: skip
        return self._walk(found, rest[1:])

    def _object_of(self, module: Module, data: bool, kind: str, name: str, rest: list[Any]) -> Any:
        """Return an attribute of a resource or data source: its value, or a reference to it."""
        block = module.block("data" if data else "resource", kind, name)
        address = f"{module.address}{'data.' if data else ''}{kind}.{name}"
        many = block is not None and {"count", "for_each"} & set(block.attributes)
        if many:
            if not rest:
                return self._instances(address)
            key = rest[0]
            if not isinstance(key, str | int):
                return Reference(address, [str(step) for step in rest[1:]])
            address += _index(key)
            rest = rest[1:]
        if kind == "terraform_data" and rest[:1] == ["output"] and block is not None:
            # It puts out what is put in.
            value = block.attributes.get("input", ("value", None))
            return self._walk(self._value(value, module, {}), rest[1:])
        if data and kind == "aws_iam_policy_document" and rest == ["json"] and block is not None:
            value = attribute(self.values.get(address), "json")
            if value is UNKNOWN or value is None:
                return Json(self._document(block, module, {}))
        return self._walk(Reference(address, [], self.values.get(address, UNKNOWN)), rest)

    def _instances(self, address: str) -> Any:
        found = {}
        for one, value in self.values.items():
            if one.startswith(f"{address}["):
                found[split(one)[-1][1]] = Reference(one, [], value)
        keys = list(found)
        if keys and all(isinstance(key, int) for key in keys):
            return [found[key] for key in sorted(keys)]
        return found or UNKNOWN

    def _document(self, block: Body, module: Module, scope: dict[str, Any]) -> dict[str, Any]:
        """Return the policy that an aws_iam_policy_document makes."""
        if any(name.endswith("policy_documents") for name in block.attributes):
            merged = [
                plain(self._value(block.attributes[name], module, scope))
                for name in block.attributes if name.endswith("policy_documents")
            ]  # fmt: skip
            if has_unknown(merged):
                return {"Statement": UNKNOWN}
        found = self._settings(block, "statement", module, scope)
        if found is UNKNOWN:
            return {"Statement": UNKNOWN}
        return {"Statement": [_statement(one) for one in found or []]}


def _statement(held: dict[str, Any]) -> dict[str, Any]:
    names = {
        "sid": "Sid", "effect": "Effect", "actions": "Action", "not_actions": "NotAction",
        "resources": "Resource", "not_resources": "NotResource",
    }  # fmt: skip
    made = {names[key]: value for key, value in held.items() if key in names and value}
    for key, name in (("principals", "Principal"), ("not_principals", "NotPrincipal")):
        for one in held.get(key) or []:
            made.setdefault(name, {}).setdefault(one.get("type"), one.get("identifiers"))
    for one in held.get("condition") or []:
        made.setdefault("Condition", {}).setdefault(one.get("test"), {})[one.get("variable")] = (
            one.get("values")
        )
    return made


def _overrides(path: Path) -> bool:
    return path.name == "override.tf" or path.name.endswith("_override.tf")


def _index(key: Any) -> str:
    return "" if key is None else f"[{key}]" if isinstance(key, int) else f'["{key}"]'


def _pairs(items: Any) -> list[tuple[Any, Any]]:
    if isinstance(items, Mapping):
        return list(items.items())
    return list(enumerate(items))


def _hide(value: Any, unknown: Any) -> Any:
    """Return planned values with UNKNOWN where Terraform does not know them."""
    if unknown is True:
        return UNKNOWN
    if isinstance(unknown, Mapping) and unknown:
        held = value if isinstance(value, Mapping) else {}
        return {key: _hide(held.get(key), unknown.get(key)) for key in {**held, **unknown}}
    if isinstance(unknown, list) and unknown and isinstance(value, list):
        return [_hide(one, unknown[i] if i < len(unknown) else None) for i, one in enumerate(value)]
    return value
