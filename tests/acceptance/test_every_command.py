"""Every command works on a terminal and in a pipe, and its exit code is what the reference says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sliceworks.cli.main import sliceworks
from sliceworks.cli.tree import walk
from tests.acceptance.every_command import Played, Stage, play, play_clusters, transcript
from tests.acceptance.harness import Cluster
from tests.acceptance.playing import Player

ELSEWHERE = {"sliceworks chaos"}
"""Has its own test."""
NO_DOCUMENTS = ("completion", "dev", "master", "worker", "--version", "--help")


@pytest.mark.timeout(400)
@pytest.mark.parametrize("on_a_terminal", [False, True])
def test_every_command(cluster: Cluster, tmp_path: Path, on_a_terminal: bool) -> None:
    player = Player({"SLICEWORKS_URL": cluster.url})
    stage = Stage(cluster, tmp_path, player.on_a_terminal if on_a_terminal else player.in_a_pipe)
    play(stage)
    play_clusters(stage)
    played = stage.played
    wrong = [each for each in played if each.outcome.code != each.expected]
    assert not wrong, "\n".join(transcript(wrong))
    assert played_commands(played) == leaves() - ELSEWHERE
    for each in played:
        check_form(each, on_a_terminal=on_a_terminal)


def check_form(each: Played, *, on_a_terminal: bool) -> None:
    """Documents in a pipe, something else on a terminal; an error is a sentence, and never a stack trace."""
    outcome = each.outcome
    said = outcome.output + outcome.errors
    assert "Traceback (most recent call last)" not in said or "errors" in outcome.arguments
    if outcome.arguments[0] in NO_DOCUMENTS:
        return
    if on_a_terminal:
        assert not any(line.startswith("{") for line in outcome.output.splitlines()), outcome
    elif "-q" not in outcome.arguments:
        assert all(isinstance(json.loads(line), dict) for line in outcome.output.splitlines()), outcome
    if each.expected in (1, 2, 4, 5, 7):
        assert "Error" in said or "Usage" in said


def leaves() -> set[str]:
    tree = dict(walk(sliceworks))
    return {path for path in tree if not any(other.startswith(f"{path} ") for other in tree)}


def played_commands(played: list[Played]) -> set[str]:
    known = leaves()
    texts = ["sliceworks " + " ".join(each.outcome.arguments) for each in played]
    return {path for path in known for text in texts if f"{text} ".startswith(f"{path} ")}
