"""Files written whole or not at all."""

from __future__ import annotations

import os
import secrets
from typing import IO, Union


def write_file(path: Union[str, "os.PathLike[str]"], source: IO[bytes]) -> None:
    """Copies a whole open file to ``path``: beside its place, synced, then renamed. The source's
    position is neither used nor changed, so that threads may share it."""
    temporary = f"{os.fspath(path)}.{secrets.token_hex(4)}.tmp"
    try:
        with open(temporary, "xb") as target:
            size = os.fstat(source.fileno()).st_size
            while target.tell() < size:
                chunk = os.pread(source.fileno(), 1 << 24, target.tell())
                if not chunk:
                    raise OSError(
                        f"the engine file became shorter: {target.tell()} of {size} bytes"
                    )
                target.write(chunk)
            target.flush()
            os.fsync(target.fileno())
        os.replace(temporary, path)
    except BaseException:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise
