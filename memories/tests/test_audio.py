"""What a file is, and what becomes of it: good, damaged, lying and hostile ones."""

from __future__ import annotations

import io
import math
import resource
import subprocess
import sys
import wave
from pathlib import Path

import pytest

from memories import audio
from memories.audio import Cut, NormalizedAudio
from memories.errors import AudioError, EmptyUpload, Interrupted, NoSound, NotAudio, TooCostly, TooLong
from memories.tests.speech import wav

SAMPLES = Path(__file__).parent / "samples"
DAY = 24 * 3600.0

CONTENT_TYPES = {
    "speech_en.3gp": ("audio/3gpp", "3gp"),
    "speech_en.aac": ("audio/aac", "aac"),
    "speech_en.amr": ("audio/amr", "amr"),
    "speech_en.flac": ("audio/flac", "flac"),
    "speech_en.m4a": ("audio/mp4", "m4a"),
    "speech_en.mp3": ("audio/mpeg", "mp3"),
    "speech_en.ogg": ("audio/ogg", "ogg"),
    "speech_en.webm": ("audio/webm", "webm"),
    "speech_en_mediarecorder.webm": ("audio/webm", "webm"),
    "speech_en_ulaw8k.wav": ("audio/wav", "wav"),
    "speech_en_fragmented.mp4": ("audio/mp4", "m4a"),
    "speech_en_coverart.mp3": ("audio/mpeg", "mp3"),
    "mislabelled_m4a_as.webm": ("audio/mp4", "m4a"),
    "lying_huge_header.flac": ("audio/flac", "flac"),
}


def normalized(name: str, tmp_path: Path, *, max_seconds: float = DAY) -> NormalizedAudio:
    with (SAMPLES / name).open("rb") as file:
        return audio.normalize(file, tmp_path / "sound.wav", max_seconds=max_seconds)


@pytest.mark.parametrize("name", sorted(CONTENT_TYPES))
def test_the_type_is_that_of_the_content_and_the_length_that_of_the_sound(name: str, tmp_path: Path) -> None:
    with (SAMPLES / name).open("rb") as file:
        found = audio.probe(file)
    assert (found.content_type, found.extension) == CONTENT_TYPES[name]
    sound = normalized(name, tmp_path)
    assert sound.seconds == pytest.approx(19.95, abs=0.1)
    assert sound.damage is None
    with wave.open(str(sound.path)) as source:
        assert (source.getframerate(), source.getnchannels(), source.getsampwidth()) == (16_000, 1, 2)
        assert source.getnframes() / 16_000 == pytest.approx(sound.seconds)


def test_a_video_gives_its_sound(tmp_path: Path) -> None:
    with (SAMPLES / "video_with_audio.mp4").open("rb") as file:
        assert audio.probe(file).content_type == "video/mp4"
    assert normalized("video_with_audio.mp4", tmp_path).seconds == pytest.approx(6.0, abs=0.1)


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("bad_empty.m4a", EmptyUpload),
        ("bad_video_only.mp4", NoSound),
        ("bad_zero_samples.wav", NoSound),
        *[
            (path.name, NotAudio)
            for path in sorted(SAMPLES.glob("bad_*"))
            if path.name not in ("bad_empty.m4a", "bad_video_only.mp4", "bad_zero_samples.wav")
        ],
    ],
)
def test_what_is_not_sound_is_refused_by_probe_and_normalize_alike(
    name: str, error: type[AudioError], tmp_path: Path
) -> None:
    with (SAMPLES / name).open("rb") as file, pytest.raises(error):
        audio.probe(file)
    with pytest.raises(error):
        normalized(name, tmp_path)


def test_a_playlist_opens_no_other_file(tmp_path: Path) -> None:
    (tmp_path / "secret.wav").write_bytes(wav((1.0, True)))
    playlist = f"#EXTM3U\n#EXTINF:1,\nfile://{tmp_path}/secret.wav\n#EXT-X-ENDLIST\n"
    with pytest.raises(NotAudio):
        audio.probe(io.BytesIO(playlist.encode()))


@pytest.mark.parametrize("name", sorted(path.name for kind in ("corrupt_*", "trunc_*") for path in SAMPLES.glob(kind)))
def test_damage_is_reported_and_what_could_be_saved_is_kept(name: str, tmp_path: Path) -> None:
    sound = normalized(name, tmp_path)
    assert sound.damage
    assert 5.0 < sound.seconds < 19.9


def test_there_are_damaged_samples() -> None:
    assert len(list(SAMPLES.glob("trunc_*"))) >= 4
    assert list(SAMPLES.glob("corrupt_*"))


def test_a_recording_of_an_instant_is_whole(tmp_path: Path) -> None:
    sound = normalized("short_80ms.wav", tmp_path)
    assert sound.seconds == pytest.approx(0.08, abs=0.01)
    assert sound.damage is None


def test_a_frame_that_claims_33_channels_is_damage_and_no_crash(tmp_path: Path) -> None:
    content = bytearray((SAMPLES / "speech_en.aac").read_bytes())
    for place, byte in ((1470, 212), (1520, 173), (1525, 178)):  # found by changing bytes at random
        content[place] = byte
    sound = audio.normalize(io.BytesIO(content), tmp_path / "x.wav", max_seconds=DAY)
    assert sound.damage
    assert sound.seconds > 19.0


def encoded(format_: str, codec: str, samples: bytes, rate: int = 16_000, **options: str) -> bytes:
    """Mono s16 samples at 16 kHz in another format."""
    import av

    target = io.BytesIO()
    with av.open(target, "w", format=format_, options={"write_xing": "0"} if format_ == "mp3" else {}) as sink:
        stream = sink.add_stream(codec, rate=rate, layout="mono", options=options)
        assert isinstance(stream, av.AudioStream)
        frame = av.AudioFrame(format="s16", layout="mono", samples=len(samples) // 2)
        frame.rate = 16_000
        frame.planes[0].update(samples)
        resampler = av.AudioResampler(format=stream.format.name, layout="mono", rate=rate, frame_size=1152)
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            sink.mux(stream.encode(part))
        sink.mux(stream.encode(None))
    return target.getvalue()


def test_a_guess_from_the_bit_rate_is_no_claim(tmp_path: Path) -> None:
    """An MP3 without a header that begins with silence: FFmpeg takes it for far longer than it is."""
    speech = normalized("speech_en.flac", tmp_path).path.read_bytes()[44:]
    content = encoded("mp3", "libmp3lame", bytes(20 * 32_000) + speech * 2, flags="+qscale", global_quality="590")
    assert audio.probe(io.BytesIO(content)).seconds is None
    sound = audio.normalize(io.BytesIO(content), tmp_path / "x.wav", max_seconds=DAY)
    assert sound.seconds == pytest.approx(59.9, abs=0.2)
    assert sound.damage is None


def test_sound_that_changes_its_rate_on_the_way_is_no_damage(tmp_path: Path) -> None:
    speech = normalized("speech_en.flac", tmp_path).path.read_bytes()[44:]
    content = encoded("adts", "aac", speech) + encoded("adts", "aac", speech, rate=44_100)
    sound = audio.normalize(io.BytesIO(content), tmp_path / "x.wav", max_seconds=DAY)
    assert sound.seconds == pytest.approx(2 * 19.95, abs=0.3)
    assert sound.damage is None


def junk_frames(count: int) -> bytes:
    """AAC frames with a true header and nonsense in them."""
    first = (SAMPLES / "speech_en.aac").read_bytes()
    length = (first[3] & 3) << 11 | first[4] << 3 | first[5] >> 5
    return (first[:7] + b"\xff" * (length - 7)) * count


def test_frames_that_hold_nothing_are_not_audio_to_probe_and_normalize_alike(tmp_path: Path) -> None:
    with pytest.raises(NotAudio):
        audio.probe(io.BytesIO(junk_frames(50)))
    with pytest.raises(NotAudio):
        audio.normalize(io.BytesIO(junk_frames(50)), tmp_path / "x.wav", max_seconds=DAY)


def test_work_that_yields_no_sound_is_bounded_too(tmp_path: Path) -> None:
    with pytest.raises(TooCostly):
        audio.normalize(io.BytesIO(junk_frames(50)), tmp_path / "x.wav", max_seconds=DAY, max_cpu_seconds=0.0)


def test_the_limit_counts_what_was_decoded(tmp_path: Path) -> None:
    with pytest.raises(TooLong, match=r"0\.001 hours"):
        normalized("speech_en.m4a", tmp_path, max_seconds=3.6)


def test_a_bomb_stops_at_the_limit_in_bounded_memory(tmp_path: Path) -> None:
    """3 MB of FLAC that decode to six hours."""
    code = (
        "import sys\nfrom pathlib import Path\nfrom memories.tests.processes import peak_memory\n"
        "from memories import audio\nfrom memories.errors import TooLong\n"
        "try:\n"
        "    audio.normalize(open(sys.argv[1], 'rb'), Path(sys.argv[2]), max_seconds=3600)\n"
        "except TooLong:\n"
        "    print(peak_memory())"
    )
    bomb = SAMPLES / "bomb_6h_silence.flac"
    out = subprocess.run(
        [sys.executable, "-c", code, str(bomb), str(tmp_path / "x.wav")], check=True, capture_output=True, text=True
    ).stdout
    assert int(out) < 400e6
    assert (tmp_path / "x.wav").stat().st_size <= 3600 * 32_000 + 100_000


def test_work_is_bounded_too(tmp_path: Path) -> None:
    with (SAMPLES / "speech_en.ogg").open("rb") as file, pytest.raises(TooCostly):
        audio.normalize(file, tmp_path / "x.wav", max_seconds=DAY, max_cpu_seconds=0.0)


def test_what_progress_raises_passes_through(tmp_path: Path) -> None:
    def stop(fraction: float) -> None:
        raise Interrupted

    with (SAMPLES / "speech_en.ogg").open("rb") as file, pytest.raises(Interrupted):
        audio.normalize(file, tmp_path / "x.wav", max_seconds=DAY, on_progress=stop)


def test_progress_is_called_where_the_length_is_unknown(tmp_path: Path) -> None:
    """It keeps the lease of the worker, and stops it when it is told to."""
    seen: list[float] = []
    with (SAMPLES / "speech_en_mediarecorder.webm").open("rb") as file:
        audio.normalize(file, tmp_path / "x.wav", max_seconds=DAY, on_progress=seen.append)
    assert len(seen) > 5
    assert set(seen) == {0.0}


def test_progress_ends_at_one(tmp_path: Path) -> None:
    seen: list[float] = []
    with (SAMPLES / "speech_en.m4a").open("rb") as file:
        audio.normalize(file, tmp_path / "x.wav", max_seconds=DAY, on_progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == pytest.approx(1.0, abs=0.02)


def loudness(path: Path, start: float, end: float) -> float:
    with wave.open(str(path)) as source:
        source.setpos(int(start * 16_000))
        samples = memoryview(source.readframes(int((end - start) * 16_000))).cast("h")
    return math.sqrt(sum(sample * sample for sample in samples) / len(samples))


def test_quiet_speech_beside_loud_speech_is_levelled_and_silence_stays_silent(tmp_path: Path) -> None:
    with wave.open(io.BytesIO(wav((12.0, True))), "rb") as source:
        loud = memoryview(source.readframes(source.getnframes())).cast("h").tolist()
    quiet = [sample // 16 for sample in loud]
    target = io.BytesIO()
    with wave.open(target, "wb") as sink:
        sink.setparams((1, 2, 16_000, 0, "NONE", ""))
        for stretch in (loud, quiet, [0] * len(loud)):
            sink.writeframes(b"".join(sample.to_bytes(2, "little", signed=True) for sample in stretch))
    sound = audio.normalize(target, tmp_path / "x.wav", max_seconds=DAY)
    assert loudness(sound.path, 17, 20) > loudness(sound.path, 2, 6) / 2
    assert loudness(sound.path, 30, 35) == 0


def sounding(tmp_path: Path, *stretches: tuple[float, bool]) -> NormalizedAudio:
    path = tmp_path / "s.wav"
    path.write_bytes(wav(*stretches))
    return NormalizedAudio(path, sum(seconds for seconds, _ in stretches), None)


def test_cuts_fall_into_the_pauses_and_are_always_the_same(tmp_path: Path) -> None:
    sound = sounding(tmp_path, (52.0, True), (1.0, False), (55.0, True), (0.5, False), (20.0, True))
    cuts = audio.split(sound, max_seconds=60.0)
    assert len(cuts) == 3
    assert 52.0 < cuts[0].end < 53.0
    assert 108.0 < cuts[1].end < 108.5
    assert cuts == audio.split(sound, max_seconds=60.0)


def test_cuts_cover_everything_once(tmp_path: Path) -> None:
    sound = sounding(tmp_path, (200.0, True))
    cuts = audio.split(sound, max_seconds=60.0)
    assert cuts[0].start == 0.0
    assert cuts[-1].end == 200.0
    assert [cut.end for cut in cuts[:-1]] == [cut.start for cut in cuts[1:]]
    assert all(0 < cut.end - cut.start <= 60.0 for cut in cuts)


def test_what_fits_is_one_cut_and_is_not_copied(tmp_path: Path) -> None:
    sound = sounding(tmp_path, (2.0, True))
    for limit in (math.inf, 60.0):
        assert audio.split(sound, max_seconds=limit) == [Cut(0.0, 2.0)]
    assert audio.clip(sound, Cut(0.0, 2.0), tmp_path / "c.wav").path == sound.path


def test_a_clip_holds_its_stretch_of_the_recording(tmp_path: Path) -> None:
    sound = sounding(tmp_path, (2.0, True), (2.0, False), (2.0, True))
    clip = audio.clip(sound, Cut(2.0, 4.0), tmp_path / "c.wav")
    assert (clip.start, clip.seconds) == (2.0, 2.0)
    assert loudness(clip.path, 0, 2) == 0
    with wave.open(str(clip.path)) as source:
        assert source.getnframes() == 32_000


def test_opening_files_leaks_none(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 200), hard))
    try:
        for _ in range(300):
            with (SAMPLES / "bad_zero_samples.wav").open("rb") as file, pytest.raises(NoSound):
                audio.probe(file)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
