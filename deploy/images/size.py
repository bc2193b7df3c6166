"""What an image weighs as a registry stores it: each layer compressed by gzip, as `docker push` does."""

from __future__ import annotations

import json
import tarfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

from deploy.images.engine import Engine, tag_of

# MB. The aim was 100. Debian and Python are the vendor's and take half of it, PyAV with FFmpeg's libraries takes 28: to
# leave out the encoders of video would mean to build FFmpeg ourselves (docs/decisions/0008).
MOST = {"api": 118.0, "lambda": 119.0, "local": 360.0}
MB = 1_000_000
BLOCK = 1024 * 1024
GZIP = b"\x1f\x8b"
OUR_FIRST_STEP = "useradd"


@dataclass(frozen=True)
class Layer:
    digest: str  # of what is in it, uncompressed
    size: int  # bytes, compressed
    ours: bool  # not the vendor's


def compressed(file: IO[bytes]) -> int:
    block = file.read(BLOCK)
    if block.startswith(GZIP):  # some engines keep layers as they came
        return len(block) + sum(len(more) for more in iter(lambda: file.read(BLOCK), b""))
    squeeze = zlib.compressobj(6, wbits=31)
    size = 0
    while block:
        size += len(squeeze.compress(block))
        block = file.read(BLOCK)
    return size + len(squeeze.flush())


def layers_of(archive: Path) -> list[Layer]:
    """Of an image that was saved."""
    with tarfile.open(archive) as tar:

        def read(name: str) -> IO[bytes]:
            file = tar.extractfile(name)
            if file is None:
                raise SystemExit(f"{name} is no file in {archive}.")
            return file

        manifest = json.load(read("manifest.json"))[0]
        config = json.load(read(manifest["Config"]))
        steps = [step.get("created_by", "") for step in config["history"] if not step.get("empty_layer")]
        first = next((number for number, step in enumerate(steps) if OUR_FIRST_STEP in step), 0)
        return [
            Layer(digest, compressed(read(name)), number >= first)
            for number, (digest, name) in enumerate(zip(config["rootfs"]["diff_ids"], manifest["Layers"], strict=True))
        ]


def megabytes(layers: Iterable[Layer]) -> float:
    return sum(layer.size for layer in layers) / MB


def weigh(engine: Engine, images: list[str]) -> bool:
    """Prints the weights; whether all are within their bounds."""
    found: dict[str, list[Layer]] = {}
    for image in images:
        with TemporaryDirectory(prefix="memories-image-") as folder:
            engine.save(tag_of(image), Path(folder) / "image.tar")
            found[image] = layers_of(Path(folder) / "image.tar")
    for image, layers in found.items():
        total, ours = megabytes(layers), megabytes(layer for layer in layers if layer.ours)
        print(f"{tag_of(image)}: {total:.1f} MB compressed, {ours:.1f} of them ours (at most {MOST[image]:.0f} in all)")
    if len(found) > 1:
        shared = set[Layer].intersection(*(set(layers) for layers in found.values()))
        print(f"shared by both: {len(shared)} layers, {megabytes(shared):.1f} MB")
    return all(megabytes(layers) <= MOST[image] for image, layers in found.items())
