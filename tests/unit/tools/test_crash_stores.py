"""The crash tester at work: a real store, recorded, cut off, weakened and failed. It needs a C compiler."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.crash.campaign import planted
from tools.crash.controls import CONTROLS
from tools.crash.director import Director, Fault, compile_shim
from tools.crash.exploring import Explored, Task, explore
from tools.crash.faults import FaultTask, fail
from tools.crash.recording import Recording
from tools.crash.scenarios import SCENARIOS

pytestmark = [pytest.mark.long, pytest.mark.skipif(shutil.which("cc") is None, reason="apt install gcc libc6-dev")]
STATES_A_CUT = 12


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_shim(tmp_path_factory.mktemp("shim"))


@pytest.fixture(scope="module")
def director(shim: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Director]:
    with Director(shim, tmp_path_factory.mktemp("stage")) as opened:
        yield opened


def explored(scenario: str, recording: Recording, scratch: Path, control: str = "none") -> Explored:
    limits = (STATES_A_CUT,) * (recording.operations + 1)
    return explore(Task(scenario, recording, 0, limits, 1, scratch / "bench", control, stops_early=True))


def test_a_recording_made_again_is_the_same_to_the_letter(director: Director) -> None:
    first, again = director.play("passphrase").recording, director.play("passphrase").recording
    assert first == again
    assert first.operations > 20


@pytest.mark.parametrize("scenario", ["make", "save-in-two-ops", "wipe"])
def test_no_power_cut_costs_anything(director: Director, tmp_path: Path, scenario: str) -> None:
    recording = director.play(scenario).recording
    found = explored(scenario, recording, tmp_path)
    assert found.broken == []
    assert found.states > len(found.images) > recording.operations // 2


@pytest.mark.parametrize("control", ["synchronous-normal", "names-not-synced", "op-by-op", "wiped-by-removal"])
def test_a_planted_weakness_is_caught(director: Director, tmp_path: Path, control: str) -> None:
    scenario = CONTROLS[control].scenario
    recording = director.play(scenario, control).recording
    assert explored(scenario, recording, tmp_path, control).broken


def test_every_weakness_is_shown_by_a_scenario_that_there_is() -> None:
    assert {CONTROLS[name].scenario for name in planted()} <= SCENARIOS.keys()


@pytest.mark.parametrize(("fault", "every"), [(Fault.EIO, 1), (Fault.FULL, 4), (Fault.KILL, 4)])
def test_no_failing_operation_costs_anything_that_was_acknowledged(
    director: Director, shim: Path, tmp_path: Path, fault: Fault, every: int
) -> None:
    # One of them is SQLite's sync of its log's name: it goes on after that failure, and says nothing.
    reference = director.play("edit").recording
    operations = range(1, min(reference.operations, 8 * every) + 1, every)
    faulted = fail(FaultTask("edit", reference, fault, shim, tmp_path, operations))
    assert faulted.failures == []
    assert faulted.cases > len(operations) // 2


def test_the_command_shows_a_broken_promise_again(director: Director, tmp_path: Path) -> None:
    scenario, control = "passphrase", "written-in-place"
    broken = explored(scenario, director.play(scenario, control).recording, tmp_path, control).broken[0]
    state = ["--cut", str(broken.cut), "--choice", str(broken.choice)]
    command = [sys.executable, "-m", "tools.crash", "--scenario", scenario, "--control", control, *state]
    root = Path(__file__).parents[3]
    shown = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert (shown.returncode, shown.stderr) == (1, "")
    assert "corrupt: StoreDamagedError" in shown.stdout
