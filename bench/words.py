"""Word errors over HTTP, for each format: .venv/bin/python -m bench.words [FOLDER]

Sends each speech_en.*, tts_en.* and tts_es.* of the folder (default: the tests' samples) to a real server with a real
worker, and compares what comes back with the .txt beside it.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path

from bench.service import SAMPLES, megabytes, running
from memories.tests.words import word_error_rate

BOUND = {"en": 0.06, "es": 0.15}


def main(folder: Path) -> int:
    # stereo48k24 holds the first six seconds only, under a reference of twenty.
    recordings = sorted(
        path
        for prefix in ("speech_en", "tts_en", "tts_es")
        for path in folder.glob(f"{prefix}*")
        if path.suffix != ".txt" and "stereo48k24" not in path.name
    )
    errors: dict[str, list[float]] = defaultdict(list)
    with running() as service:
        print(f"API process at rest: {megabytes(service.server.process.pid, 'VmRSS'):.0f} MB")
        sent = {path: service.send(path) for path in recordings}
        for path, identifier in sent.items():
            memory = service.finished(identifier)
            reference = (
                folder / f"{path.name[:9].rstrip('.') if path.name.startswith('speech') else path.stem}.txt"
            ).read_text()
            rate = word_error_rate(reference, memory["transcript"]["text"])
            errors[memory["language"]].append(rate)
            print(f"{path.name:32} {memory['status']:6} {memory['language']} {rate:6.1%}")
        print(f"API process after it: {megabytes(service.server.process.pid, 'VmRSS'):.0f} MB")
    for language, rates in errors.items():
        mean = sum(rates) / len(rates)
        print(f"{language}: {mean:.1%} on average, {max(rates):.1%} at most (bound {BOUND[language]:.0%})")
    return int(any(sum(rates) / len(rates) > BOUND[language] for language, rates in errors.items()))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else SAMPLES))
