"""What the API shows and takes. An unknown field is an error: a typing mistake must not look like success."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.reverse import reverse

from memories.models import Memory, Stage, Status, Tag, Transcript

MAX_WAIT = 25  # seconds; below the 30 after which many proxies give up


class StrictSerializer(serializers.Serializer[Any]):
    """Refuses what it does not know. Values come out in `validated_data`."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict) and (unknown := data.keys() - self.fields.keys()):
            raise serializers.ValidationError({name: ["This field does not exist."] for name in sorted(unknown)})
        return super().to_internal_value(data)


class TitleField(serializers.CharField):
    """One line of 200 characters; may be empty."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=200, allow_blank=True, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        return " ".join(super().to_internal_value(data).split())


# --- shown ---------------------------------------------------------------------------------------------------------


class EvidenceSerializer(serializers.Serializer[Any]):
    """Where something was said: segments of the transcript, and a verbatim quote from them."""

    segment_ids = serializers.ListField(child=serializers.IntegerField())
    quote = serializers.CharField()


class FindingSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    evidence = EvidenceSerializer(allow_null=True, help_text="null where a person wrote it.")


class MoodSerializer(serializers.Serializer[Any]):
    label = serializers.ChoiceField(choices=["positive", "neutral", "negative", "mixed"])  # type: ignore[assignment]
    evidence = EvidenceSerializer()


class ActionItemSerializer(serializers.Serializer[Any]):
    text = serializers.CharField()
    due = serializers.DateField(allow_null=True, help_text="Resolved against recorded_at.")
    due_quote = serializers.CharField(allow_null=True, help_text="What was said about the date.")
    evidence = EvidenceSerializer()


class SegmentSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    text = serializers.CharField()
    start = serializers.FloatField(allow_null=True, help_text="Seconds; null where the model gives no times.")
    end = serializers.FloatField(allow_null=True)
    speaker = serializers.CharField(allow_null=True)
    confidence = serializers.FloatField(allow_null=True, help_text="0 to 1.")


class TranscriptSerializer(serializers.Serializer[Any]):
    text = serializers.CharField()
    language = serializers.CharField(allow_null=True)
    model = serializers.CharField()
    segments = SegmentSerializer(many=True)

    def to_representation(self, instance: Transcript) -> dict[str, Any]:
        # As stored: the segments of some hours, one by one through a serializer, would take longer than all the rest.
        return {
            "text": instance.text,
            "language": instance.language or None,
            "model": instance.model,
            "segments": instance.segments,
        }


class AudioSerializer(serializers.Serializer[Any]):
    url = serializers.URLField(allow_null=True, help_text="null once the audio is deleted.")
    content_type = serializers.CharField()
    size = serializers.IntegerField(help_text="Bytes.")
    filename = serializers.CharField()
    damage = serializers.CharField(allow_null=True, help_text="What could not be read of the recording.")
    expires_at = serializers.DateTimeField(help_text="The audio is deleted then; the text stays.")


class FailureSerializer(serializers.Serializer[Any]):
    code = serializers.CharField()
    detail = serializers.CharField()
    next_step = serializers.CharField()


class MatchSerializer(serializers.Serializer[Any]):
    """Where a search hit was said."""

    text = serializers.CharField()
    highlights = serializers.ListField(
        child=serializers.ListField(child=serializers.IntegerField(), min_length=2, max_length=2),
        help_text="[start, end) offsets into text, in characters.",
    )
    segment_id = serializers.IntegerField()
    start = serializers.FloatField(allow_null=True, help_text="Seconds from the beginning of the recording.")


class MemoryBriefSerializer(serializers.Serializer[Memory]):
    """A memory without its transcript, as lists have it."""

    id = serializers.UUIDField()
    status = serializers.ChoiceField(choices=Status.values)
    status_detail = serializers.CharField(help_text="One sentence for people.")
    progress = serializers.IntegerField(
        source="percent", help_text="Percent of the stage at work; 100 in READY, TRANSCRIBED and NO_SPEECH."
    )
    title = serializers.CharField()
    summary = serializers.CharField()
    tags = serializers.SerializerMethodField()
    people = serializers.SerializerMethodField()
    places = serializers.SerializerMethodField()
    mood = serializers.SerializerMethodField()
    action_items = serializers.SerializerMethodField()
    language = serializers.SerializerMethodField(help_text="ISO 639-1; as it was given, or detected.")
    duration_seconds = serializers.FloatField(allow_null=True)
    recorded_at = serializers.DateTimeField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    audio = serializers.SerializerMethodField()
    error = serializers.SerializerMethodField()
    edited_fields = serializers.ListField(
        child=serializers.CharField(), help_text="What a person changed: reprocessing leaves it alone."
    )

    def _findings(self, memory: Memory, kind: Tag.Kind) -> list[dict[str, Any]]:
        found = [tagging for tagging in memory.taggings.all() if tagging.tag.kind == kind]
        return [{"name": tagging.tag.name, "evidence": tagging.evidence} for tagging in found]

    @extend_schema_field(FindingSerializer(many=True))
    def get_tags(self, memory: Memory) -> list[dict[str, Any]]:
        return self._findings(memory, Tag.Kind.TAG)

    @extend_schema_field(FindingSerializer(many=True))
    def get_people(self, memory: Memory) -> list[dict[str, Any]]:
        return self._findings(memory, Tag.Kind.PERSON)

    @extend_schema_field(FindingSerializer(many=True))
    def get_places(self, memory: Memory) -> list[dict[str, Any]]:
        return self._findings(memory, Tag.Kind.PLACE)

    @extend_schema_field(MoodSerializer(allow_null=True))
    def get_mood(self, memory: Memory) -> dict[str, Any] | None:
        return _with_evidence(memory.mood) if memory.mood else None

    @extend_schema_field(ActionItemSerializer(many=True))
    def get_action_items(self, memory: Memory) -> list[dict[str, Any]]:
        return [_with_evidence(item) for item in memory.action_items]

    def get_language(self, memory: Memory) -> str | None:
        transcript = transcript_of(memory)
        return memory.language or (transcript.language if transcript else "") or None

    @extend_schema_field(AudioSerializer)
    def get_audio(self, memory: Memory) -> dict[str, Any]:
        there = bool(memory.audio) and memory.audio_expires_at > timezone.now()
        request: Request = self.context["request"]
        return {
            "url": reverse("memory-audio", args=[memory.pk], request=request) if there else None,
            "content_type": memory.audio_content_type,
            "size": memory.audio_size,
            "filename": memory.audio_filename,
            "damage": memory.audio_damage or None,
            "expires_at": serializers.DateTimeField().to_representation(memory.audio_expires_at),
        }

    @extend_schema_field(FailureSerializer(allow_null=True))
    def get_error(self, memory: Memory) -> dict[str, Any] | None:
        if not memory.error_code:
            return None
        return {"code": memory.error_code, "detail": memory.error_detail, "next_step": memory.next_step}


class MemorySerializer(MemoryBriefSerializer):
    transcript = serializers.SerializerMethodField()

    @extend_schema_field(TranscriptSerializer(allow_null=True))
    def get_transcript(self, memory: Memory) -> dict[str, Any] | None:
        transcript = transcript_of(memory)
        return TranscriptSerializer(transcript).data if transcript else None


class MemoryListItemSerializer(MemoryBriefSerializer):
    match = serializers.SerializerMethodField()

    @extend_schema_field(MatchSerializer(allow_null=True))
    def get_match(self, memory: Memory) -> dict[str, Any] | None:
        excerpt = self.context["excerpts"].get(memory.pk)
        return MatchSerializer(excerpt).data if excerpt else None


class PageSerializer(serializers.Serializer[Any]):
    results = MemoryListItemSerializer(many=True)
    next = serializers.URLField(allow_null=True, help_text="The next page; null on the last.")


def transcript_of(memory: Memory) -> Transcript | None:
    return getattr(memory, "transcript", None)


def _with_evidence(stored: dict[str, Any]) -> dict[str, Any]:
    """A mood or an action item, its evidence in the same place as that of the tags."""
    rest = dict(stored)
    return {"evidence": {"segment_ids": rest.pop("segment_ids"), "quote": rest.pop("quote")}, **rest}


# --- taken ---------------------------------------------------------------------------------------------------------


class MomentField(serializers.DateTimeField):
    """A moment in an address, where a plus sign that is not escaped arrives as a space."""

    def to_internal_value(self, value: Any) -> Any:
        try:
            return super().to_internal_value(value)
        except serializers.ValidationError as error:
            if " " not in str(value):
                raise
            message = "There is a space where a + may have been: write + as %2B in an address."
            raise serializers.ValidationError(message, code="space") from error


class TimelineQuery(StrictSerializer):
    """The parameters of `GET memories`."""

    q = serializers.CharField(
        required=False,
        allow_blank=True,
        trim_whitespace=False,
        help_text="Words that were said, or stand in the title, the summary or the names, in any inflection and "
        "without regard to accents. All must be there; the last may be the beginning of a word.",
    )
    status = serializers.MultipleChoiceField(choices=Status.values, required=False, help_text="May be repeated.")
    tag = serializers.CharField(required=False, help_text="The whole name; case does not matter.")
    person = serializers.CharField(required=False)
    place = serializers.CharField(required=False)
    recorded_after = MomentField(required=False, help_text="This moment or later; a date alone is its midnight (UTC).")
    recorded_before = MomentField(required=False, help_text="Earlier than this moment.")
    limit = serializers.IntegerField(required=False, default=20, min_value=1, max_value=100)
    cursor = serializers.CharField(required=False, help_text="From `next` of the page before.")


class WaitQuery(StrictSerializer):
    wait = serializers.IntegerField(
        required=False,
        default=0,
        min_value=0,
        max_value=MAX_WAIT,
        help_text="Seconds to hold the answer until the status changes. A memory that is not in the works is "
        "answered at once, and so is one that is no longer what If-None-Match names.",
    )


class DownloadQuery(StrictSerializer):
    download = serializers.BooleanField(required=False, default=False, help_text="true: as an attachment.")


class TranscriptQuery(DownloadQuery):
    format = serializers.ChoiceField(choices=["json", "txt", "md", "srt", "vtt"], required=False, default="json")


class SegmentEdit(StrictSerializer):
    id = serializers.IntegerField(min_value=0)
    text = serializers.CharField(max_length=10_000, allow_blank=True)


class TranscriptEdit(StrictSerializer):
    segments = SegmentEdit(many=True, allow_empty=False, help_text="Those that change; the others and all times stay.")


class MemoryEdit(StrictSerializer):
    title = TitleField(required=False)
    summary = serializers.CharField(max_length=10_000, allow_blank=True, required=False)
    tags = serializers.ListField(child=serializers.CharField(max_length=100), max_length=100, required=False)
    transcript = TranscriptEdit(required=False)


class ReprocessRequest(StrictSerializer):
    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return {"from": serializers.ChoiceField(choices=Stage.values)}  # not an attribute: the name is a keyword
