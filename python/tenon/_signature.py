"""How a compiled model is called: kept as JSON in the engine (``Engine.metadata``).

    {"tenon": 1,
     "in_spec", "out_spec": the structures of (args, kwargs) and of the result (_tree.py),
     "names": the arguments that the model was exported with, positional ones first,
     "parameters": [[name, default or null], ...] of forward(), or null if unknown; a default is
         {"value": JSON}, or {} for one that JSON cannot say,
     "inputs": per leaf of in_spec {"input": index} or {"value": constant},
     "outputs": per leaf of out_spec {"output": index}, {"number": index} (a Python number),
         {"value": constant}, or {"argument": leaf of in_spec} (the caller's own tensor)}

Indices are of the engine's inputs, and of those outputs that are no new content of an input. All of
it is read from the .pt2 file, whose JSON says everything but the defaults of forward().
"""

from __future__ import annotations

import inspect
import json
import zipfile
from typing import Any, Callable, Iterable

VERSION = 1


def read_model(path: str) -> dict[str, Any]:
    """The graph module's JSON of a .pt2 file. Raises ValueError if it is none."""
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if name.endswith("/models/model.json"):
                graph_module: dict[str, Any] = json.loads(archive.read(name))["graph_module"]
                return graph_module
    raise ValueError(f"{path} holds no models/model.json, which torch.export.save() writes")


def parameters_of(forward: Callable[..., Any]) -> list[list[Any]] | None:
    """The arguments of forward() by position with their defaults; None if it takes ``*args``."""
    listed: list[list[Any]] = []
    for parameter in inspect.signature(forward).parameters.values():
        if parameter.kind == parameter.VAR_POSITIONAL:
            return None
        if parameter.kind != parameter.VAR_KEYWORD:
            listed.append([parameter.name, _default_of(parameter.default)])
    return listed


def _default_of(value: Any) -> dict[str, Any] | None:
    if value is inspect.Parameter.empty:
        return None
    plain = value is None or isinstance(value, (bool, int, float, str))
    return {"value": value} if plain else {}


def make_metadata(
    graph_module: dict[str, Any], parameters: list[list[Any]] | None
) -> dict[str, Any]:
    """The metadata of a model, from its JSON and what parameters_of() said."""
    call = graph_module["module_call_graph"][0]["signature"]
    inputs, leaf_of = _inputs(graph_module["signature"]["input_specs"])
    aliases = _aliases(graph_module["graph"]["nodes"])
    return {
        "tenon": VERSION,
        "in_spec": call["in_spec"],
        "out_spec": call["out_spec"],
        "names": call["forward_arg_names"] or [],
        "parameters": parameters,
        "inputs": inputs,
        "outputs": _outputs(graph_module["signature"]["output_specs"], leaf_of, aliases),
    }


def _constant(argument: dict[str, Any]) -> Any:
    """The value of an argument of the kind {"as_int": 3}, {"as_none": true}."""
    ((tag, value),) = argument.items()
    return None if tag == "as_none" else float(value) if tag == "as_float" else value


def _inputs(specs: Iterable[dict[str, Any]]) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """The leaves of the arguments, and the leaf of each tensor by its name in the graph."""
    leaves: list[dict[str, Any]] = []
    leaf_of: dict[str, int] = {}
    count = 0
    for spec in specs:
        ((tag, content),) = spec.items()
        if tag == "constant_input":
            leaves.append({"value": _constant(content["value"])})
        elif tag == "user_input" and "as_tensor" in content["arg"]:
            leaf_of[content["arg"]["as_tensor"]["name"]] = len(leaves)
            leaves.append({"input": count})
            count += 1
        elif tag == "user_input":
            leaves.append({"value": _constant(content["arg"])})
    return leaves, leaf_of


def _aliases(nodes: Iterable[dict[str, Any]]) -> dict[str, str]:
    """The results of in-place operators: each to the tensor that it is."""
    found: dict[str, str] = {}
    for node in nodes:
        base = node["target"].split(".")[-2:][0]
        writes = base.endswith("_") and (not base.endswith("__") or base.startswith("__i"))
        if not writes or not node["target"].startswith("torch.ops.aten."):
            continue
        operand = node["inputs"][0]["arg"].get("as_tensor") if node["inputs"] else None
        result = node["outputs"][0].get("as_tensor") if node["outputs"] else None
        if operand and result:
            found[result["name"]] = found.get(operand["name"], operand["name"])
    return found


def _outputs(
    specs: Iterable[dict[str, Any]], leaf_of: dict[str, int], aliases: dict[str, str]
) -> list[dict[str, Any]]:
    leaves: list[dict[str, Any]] = []
    count = 0  # of the engine's outputs; None and texts are none
    first: dict[str, int] = {}  # a tensor that is given twice is one object
    written = dict(aliases)
    for spec in specs:  # of graphs that are functional already
        if "user_input_mutation" in spec:
            content = spec["user_input_mutation"]
            written[content["arg"]["name"]] = content["user_input_name"]
    for spec in specs:
        if "user_output" not in spec:
            continue
        ((tag, value),) = spec["user_output"]["arg"].items()
        if tag == "as_tensor":
            name = written.get(value["name"], value["name"])
            leaf = leaf_of.get(name)
            output = first.setdefault(name, count)
            leaves.append({"output": output} if leaf is None else {"argument": leaf})
        elif tag.startswith("as_sym_"):
            leaves.append({"number": count})
        else:
            leaves.append({"value": _constant({tag: value})})
        count += tag not in ("as_none", "as_string")
    return leaves
