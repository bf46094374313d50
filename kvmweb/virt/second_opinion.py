"""What qemu-img says of an image's first bytes, where it is installed.

It is given a sparse copy of them, the format, and little of anything else: an image is
hostile, and so far nothing has opened it.
"""

import json
import shutil
import subprocess
import tempfile
from typing import Any

from kvmweb.errors import Invalid
from kvmweb.virt.images import Image

_WAIT_S = 10
_LIMITS = ("--as=1073741824", "--cpu=5", "--fsize=0", "--nofile=64", "--nproc=512")
_REFUSED = {
    "backing-filename": "stands on another file",
    "data-file": "keeps its data in another file",
    "encrypted": "is encrypted",
}


def need_same(head: bytes, image: Image, length_bytes: int) -> None:
    """Nothing. Raises Invalid when qemu-img cannot read it or sees another image in it."""
    limited, qemu_img = shutil.which("prlimit"), shutil.which("qemu-img")
    if image.format in ("raw", "iso") or not (limited and qemu_img):
        return
    with tempfile.NamedTemporaryFile(prefix="head-") as file:
        file.write(head)
        file.truncate(max(length_bytes, len(head)))
        file.flush()
        told = _asked([limited, *_LIMITS, "--", qemu_img], image.format, file.name)
    for name, sentence in _REFUSED.items():
        if told.get(name) or told.get("format-specific", {}).get("data", {}).get(name):
            raise _refused(f"The image {sentence}, says qemu-img.")
    if told.get("virtual-size") != image.virtual_bytes:
        raise _refused("qemu-img sees another size in the image than its header says.")


def _asked(command: list[str], kind: str, path: str) -> dict[str, Any]:
    options = f"driver={kind},file.driver=file,file.filename={path}"
    try:
        done = subprocess.run(  # noqa: S603 - our own words
            [*command, "info", "--output=json", "--image-opts", options],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=_WAIT_S,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
        )
    except subprocess.TimeoutExpired as error:
        raise _refused("qemu-img did not come to an end with the image.") from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().rpartition(": ")[2]
        raise _refused(f"qemu-img cannot read the image: {said[:200]}.")
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def _refused(sentence: str) -> Invalid:
    return Invalid(sentence, errors={"content": [sentence]})
