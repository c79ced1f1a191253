"""Blocks: layers at which another IPU takes over."""

from torch import nn

MARK = "_poptorch_block"


def BeginBlock(layer_to_call: nn.Module, user_id: str | None = None, ipu_id: int | None = None) -> nn.Module:
    if not isinstance(layer_to_call, nn.Module):
        raise RuntimeError("layer_to_call must be a torch.nn.Module")
    if hasattr(layer_to_call, MARK):
        raise RuntimeError("module has already been assigned to a block: BeginBlock")
    assert user_id is None or type(user_id) is str
    assert ipu_id is None or type(ipu_id) is int
    setattr(layer_to_call, MARK, (user_id, ipu_id))
    return layer_to_call


def blocks_of(model: nn.Module) -> dict[str, int]:
    """IPU of each block by the name of its module; without an id, the next one."""
    found = {}
    for name, module in model.named_modules():
        if hasattr(module, MARK):
            ipu = getattr(module, MARK)[1]
            found[name] = len(found) + 1 if ipu is None else ipu
    return found
