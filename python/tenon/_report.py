"""What runs in the engine, what PyTorch runs, and why."""

from __future__ import annotations

import collections
from typing import Any


class Report:
    """The fate of every node of a model, as docs/report.md describes it. ``print()`` shows it as
    text; ``data`` is the parsed JSON, ``nodes`` its nodes, ``fallbacks`` those that PyTorch runs.
    """

    def __init__(self, data: dict[str, Any]) -> None:
        self.data = data

    @property
    def nodes(self) -> list[dict[str, Any]]:
        nodes: list[dict[str, Any]] = self.data["nodes"]
        return nodes

    @property
    def fallbacks(self) -> list[dict[str, Any]]:
        return [node for node in self.nodes if node["fate"] == "fallback"]

    @property
    def coverage(self) -> float:
        """The fraction of nodes that run in the engine, 0 to 1."""
        return 1 - len(self.fallbacks) / len(self.nodes) if self.nodes else 1.0

    def __repr__(self) -> str:
        return f"<tenon.Report: {len(self.nodes)} nodes, {len(self.fallbacks)} run by PyTorch>"

    def __str__(self) -> str:
        fallbacks = self.fallbacks
        lines = [
            f"{len(self.nodes)} nodes, {len(self.nodes) - len(fallbacks)} in the engine "
            f"({self.coverage:.1%})",
            f"settings: {self.data['options']}",
            "inputs: " + ", ".join(f"{i['name']}: {i['type']}" for i in self.data["inputs"]),
            "outputs: " + ", ".join(self.data["outputs"]),
        ]
        if fallbacks:
            lines.append("run by PyTorch:")
            counts = collections.Counter(node["op"] for node in fallbacks)
            lines += [f"  {count:5} {op}" for op, count in counts.most_common()]
            for node in fallbacks:
                lines.append(f"  {node['node']} ({node['op']}): {node['reason']}")
                place = ", ".join(text for text in (node["module"], node["source"]) if text)
                lines += [f"    {place}"] if place else []
        return "\n".join(lines)
