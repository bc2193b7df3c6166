from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from memories import recovery
from memories.errors import MemoriesError
from memories.management.base import ExampleCommand
from memories.models import DeadLetter, Memory

RESOLVED = "It is resolved already."


class Command(ExampleCommand):
    help = "Memories that were given up on, and messages that could not be delivered."
    examples = """\
  manage.py deadletters list            the open ones; --all for the resolved ones too
  manage.py deadletters show 12
  manage.py deadletters requeue 12 13   or --all
  manage.py deadletters resolve 14      looked at, nothing to try again; or --all
  manage.py deadletters purge           delete the resolved ones, for good
  manage.py deadletters list --json"""

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="list|show|requeue|resolve|purge")
        listing = actions.add_parser("list", help="One line each; exit code 1 when any is open.")
        listing.add_argument("--all", action="store_true", help="The resolved ones too.")
        show = actions.add_parser("show", help="All that is known of one.")
        show.add_argument("id", type=int)
        requeue = actions.add_parser("requeue", help="Try them again from where they failed.")
        resolve = actions.add_parser("resolve", help="Mark them as looked at; their memories stay as they are.")
        for action in (requeue, resolve):
            action.add_argument("ids", nargs="*", type=int, metavar="ID")
            action.add_argument("--all", action="store_true", help="All that are open.")
        actions.add_parser("purge", help="Delete those that are resolved, and malformed messages.")
        for action in actions.choices.values():
            action.add_argument("--json", action="store_true", help="Print the result as JSON.")

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        run: dict[str, Callable[..., None]] = {
            "list": self.list_,
            "show": self.show,
            "requeue": self.requeue,
            "resolve": self.resolve,
            "purge": self.purge,
        }
        run[action](**options)

    def list_(self, *, json: bool, all: bool, **options: Any) -> None:  # noqa: A002 (the name of the option)
        letters = DeadLetter.objects.all() if all else DeadLetter.objects.unresolved()
        if json:
            self.print_json([_as_dict(letter) for letter in letters])
        else:
            for letter in letters:
                self.stdout.write(f"{letter.pk:>6}  {letter.created_at:%Y-%m-%d %H:%M}  {letter}  {letter.resolution}")
        if DeadLetter.objects.unresolved().exists():
            raise SystemExit(1)

    def show(self, *, id: int, json: bool, **options: Any) -> None:  # noqa: A002
        letter = _get(id)
        if json:
            self.print_json(_as_dict(letter))
            return
        for name, value in _as_dict(letter).items():
            self.stdout.write(f"{name:>10}: {value}")

    def requeue(self, *, ids: list[int], all: bool, json: bool, **options: Any) -> None:  # noqa: A002
        done, refused = 0, dict[str, str]()
        for pk in _named(ids, all):
            try:
                recovery.requeue(pk)
                done += 1
            except MemoriesError as error:
                refused[str(pk)] = f"{error.detail} {error.next_step}"
            except DeadLetter.DoesNotExist:
                if ids:  # with --all, another dead letter of the same memory was first
                    refused[str(pk)] = RESOLVED
            except Memory.DoesNotExist:
                refused[str(pk)] = "It names no memory: there is nothing to try again. Read it, then resolve it."
        self.report("requeued", done, refused, json)

    def resolve(self, *, ids: list[int], all: bool, json: bool, **options: Any) -> None:  # noqa: A002
        done, refused = 0, dict[str, str]()
        for pk in _named(ids, all):
            if DeadLetter.objects.filter(pk=pk).resolve(DeadLetter.Resolution.DISMISSED):
                done += 1
            else:
                refused[str(pk)] = RESOLVED
        self.report("resolved", done, refused, json)

    def report(self, what: str, done: int, refused: dict[str, str], json: bool) -> None:
        if json:
            self.print_json({what: done, "refused": refused})
        else:
            self.stdout.write(f"{what.capitalize()}: {done}. Refused: {len(refused)}.")
        for pk, reason in refused.items():
            self.stderr.write(f"{pk}: {reason}")
        if refused:
            raise SystemExit(1)

    def purge(self, *, json: bool, **options: Any) -> None:
        resolved = DeadLetter.objects.filter(resolved_at__isnull=False)
        malformed = DeadLetter.objects.filter(memory__isnull=True)
        count = (resolved | malformed).delete()[0]
        if json:
            self.print_json({"purged": count})
        else:
            self.stdout.write(f"Purged: {count}.")


def _named(ids: list[int], all_open: bool) -> list[int]:
    if bool(ids) == all_open:
        raise CommandError("Name dead letters by id, or --all.", returncode=2)
    return [_get(pk).pk for pk in ids] or list(DeadLetter.objects.unresolved().values_list("pk", flat=True))


def _get(pk: int) -> DeadLetter:
    try:
        return DeadLetter.objects.get(pk=pk)
    except DeadLetter.DoesNotExist as error:
        raise CommandError(
            f"There is no dead letter {pk}; `manage.py deadletters list` shows those that are."
        ) from error


def _as_dict(letter: DeadLetter) -> dict[str, Any]:
    return {
        "id": letter.pk,
        "memory": letter.memory_id,
        "stage": letter.stage,
        "code": letter.code,
        "detail": letter.detail,
        "next_step": letter.next_step,
        "body": letter.body,
        "created_at": letter.created_at,
        "resolved_at": letter.resolved_at,
        "resolution": letter.resolution,
        "age_hours": round((timezone.now() - letter.created_at).total_seconds() / 3600, 1),
    }
