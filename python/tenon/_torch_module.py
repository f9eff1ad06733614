"""Module as a torch.nn.Module; imported only where torch has been."""

from __future__ import annotations

from typing import Any

import torch

from ._module import Module


class TorchModule(Module, torch.nn.Module):
    __doc__ = Module.__doc__

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._forward_hooks or self._forward_pre_hooks:
            return torch.nn.Module.__call__(self, *args, **kwargs)
        return self._call(args, kwargs)
