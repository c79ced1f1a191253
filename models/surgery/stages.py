"""Splits a model into a pipeline of stages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from torch import fx, nn

from models.errors import ModelError, near_names
from models.surgery.input import NormalizedInput

_HOW_TO_LIST = "--list-layers prints every name."


def list_layers(module: nn.Module) -> list[str]:
    """The layers before which `module` can be cut, in order of execution, such as `layer3/0/conv1`."""
    cuts = _cut_positions(_trace(module), module)
    return [name for name, position in sorted(cuts.items(), key=lambda item: item[1]) if position > 0]


def split(module: nn.Module, names: Sequence[str]) -> list[nn.Module]:
    """`module` cut before each of the layers `names` into `len(names) + 1` stages.

    The stages share the weights of `module` and, called one after the other, compute the same. The first takes the
    module's input; each returns one tensor, or a tuple if several values cross the cut, and the next takes these as
    positional arguments. A value that is used several stages later is passed through those in between. Raises
    `ModelError` for a name that is unknown or leaves a stage empty, and for a module that torch.fx cannot trace.
    """
    traced = _trace(module)
    bounds = _bounds(_cut_positions(traced, module), names)
    nodes = _computed_nodes(traced)
    stages = [nodes[start:end] for start, end in pairwise([0, *bounds, len(nodes)])]
    inputs = [node for node in traced.graph.nodes if node.op == "placeholder"]
    output = next(node for node in traced.graph.nodes if node.op == "output")

    live = [inputs] + [_live_at(bound, nodes, inputs, output) for bound in bounds]
    return [
        _stage(traced, stage, takes=live[number], gives=live[number + 1] if number < len(bounds) else output)
        for number, stage in enumerate(stages)
    ]


def stage_starts(module: nn.Module, names: Sequence[str]) -> list[nn.Module]:
    """The layers `names` of `module`, in the order of `names`, for engines that split a model themselves.

    Raises `ModelError` for whatever `split` refuses.
    """
    _bounds(_cut_positions(_trace(module), module), names)
    prefix = _prefix(module)
    return [module.get_submodule(prefix + name.replace("/", ".")) for name in names]


class _Tracer(fx.Tracer):
    """Traces into everything but torch's own layers and those that timm lists as untraceable."""

    # Normalisation reads the dtype of its buffers. As a proxy it is read at run time, after a backend has converted the
    # stage to another dtype, and not at the time of tracing.
    proxy_buffer_attributes = True

    def __init__(self) -> None:
        from timm.models import get_notrace_functions

        functions = get_notrace_functions()  # type: ignore[no-untyped-call]
        super().__init__(autowrap_functions=tuple(functions))

    def create_args_for_root(
        self, root_fn: Callable[..., Any], is_module: bool, concrete_args: Any = None
    ) -> tuple[Any, list[Any]]:
        # Pixels are the only input. A proxy for an optional parameter, such as the mask of vision transformers, would
        # count as given.
        def pixels_alone(module: nn.Module, pixels: Any) -> Any:
            return root_fn(module, pixels)

        found: tuple[Any, list[Any]] = super().create_args_for_root(pixels_alone, is_module, concrete_args)
        return found

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        from timm.models import is_notrace_module

        return bool(is_notrace_module(type(m))) or super().is_leaf_module(m, module_qualified_name)


def _trace(module: nn.Module) -> fx.GraphModule:
    tracer = _Tracer()
    try:
        graph = tracer.trace(module)
    # Tracing runs the model's own code on proxies, which may raise anything.
    except Exception as error:
        raise ModelError(
            f"--pipeline-splits: this model cannot be traced, so it cannot be split ({error}). "
            "Leave the option out, or choose another model."
        ) from error
    return fx.GraphModule(tracer.root, graph)


def _computed_nodes(traced: fx.GraphModule) -> list[fx.Node]:
    """Nodes that compute something, in order; weights (get_attr) belong to whichever stage reads them."""
    return [node for node in traced.graph.nodes if node.op not in ("placeholder", "get_attr", "output")]


def _cut_positions(traced: fx.GraphModule, module: nn.Module) -> dict[str, int]:
    """Index of the first computed node of each module, by its name with slashes."""
    prefix = _prefix(module)
    positions: dict[str, int] = {}
    for index, node in enumerate(_computed_nodes(traced)):
        for key, value in node.meta.get("nn_module_stack", {}).items():
            # torch 2.0, which PopTorch is for, has {name: type}; later ones have {key: (name, type)}.
            qualified_name, kind = value if isinstance(value, tuple) else (key, value)
            name = qualified_name.removeprefix(prefix).replace(".", "/")
            if f"{qualified_name}." != prefix and kind is not nn.Identity:
                positions.setdefault(name, index)
    return positions


def _prefix(module: nn.Module) -> str:
    """Keeps the names the model's own, with or without normalisation before it."""
    return "model." if isinstance(module, NormalizedInput) else ""


def _bounds(positions: dict[str, int], names: Sequence[str]) -> list[int]:
    taken: dict[int, str] = {}
    for name in names:
        if name not in positions:
            raise ModelError(
                f"--pipeline-splits {name}: no such layer.{near_names(name, positions)} {_HOW_TO_LIST}"
            )
        position = positions[name]
        if position == 0:
            raise ModelError(
                f"--pipeline-splits {name}: nothing is computed before it, so the first stage would be "
                f"empty. Name a later layer. {_HOW_TO_LIST}"
            )
        if position in taken:
            raise ModelError(
                f"--pipeline-splits {name}: starts at the same place as {taken[position]}, so the stage between them "
                f"would be empty. Name each place once. {_HOW_TO_LIST}"
            )
        taken[position] = name
    return sorted(taken)


def _live_at(
    bound: int, nodes: Sequence[fx.Node], inputs: Sequence[fx.Node], output: fx.Node
) -> list[fx.Node]:
    """The inputs, and the values computed before `bound`, that are used from there on."""
    later = {*nodes[bound:], output}
    return [node for node in (*inputs, *nodes[:bound]) if any(user in later for user in node.users)]


def _stage(
    traced: fx.GraphModule,
    nodes: Sequence[fx.Node],
    takes: Sequence[fx.Node],
    gives: Sequence[fx.Node] | fx.Node,
) -> nn.Module:
    graph = fx.Graph()
    copies = {node: graph.placeholder(node.name) for node in takes}

    def copied(node: fx.Node) -> fx.Node:
        if node.op == "get_attr" and node not in copies:
            copies[node] = graph.node_copy(node)
        return copies[node]

    for node in nodes:
        copies[node] = graph.node_copy(node, copied)
    if isinstance(gives, fx.Node):
        graph.output(fx.node.map_arg(gives.args[0], copied))
    else:
        values = tuple(copies[node] for node in gives)
        graph.output(values[0] if len(values) == 1 else values)
    graph.lint()
    return fx.GraphModule(traced, graph).train(traced.training)
