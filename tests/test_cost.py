"""Time and memory of an analysis: by hand, against a real run, and what cannot fit."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from headroles import admin
from headroles.admin import estimate as admin_estimate
from headroles.admin.estimate import estimate
from headroles.errors import TooLargeError
from headroles.models import ModelFacts, container_rooms, inspect_model, memory
from headroles.paths import ROOT
from tests.facts import says

FACTS = ModelFacts(
    key="owner/name",
    source="owner/name",
    revision="0" * 40,
    num_layers=2,
    num_heads=5,
    width=100,
    vocabulary=1_000,
    parameters=1_000_000,
    download_bytes=0,
)


def facts(**changes: object) -> ModelFacts:
    return ModelFacts(**{**vars(FACTS), **changes})


# ------------------------------------------------------------------ the formula, by hand


def test_the_time_of_an_analysis_by_hand() -> None:
    # 900,000 numbers outside the embedding, 1,350 + 1,300 + 10 * 80 = 3,450 tokens, and 4,400
    # + 2 * 10 * 80 + 40 * 10 heads = 6,400 for the extended roles: 1.773e10 operations, 39.4 s at
    # 45 % of 1e9 a second; 7 s to start, .004 s to read 4 MB, .1 s to draw.
    found = estimate(FACTS, sequences=10, causal=False, speed=1e9)
    assert found.seconds == pytest.approx(46.504)
    assert (found.low, found.high) == pytest.approx((23.252, 93.008))


def test_the_time_of_the_extended_roles_by_hand() -> None:
    # 4,400 tokens, 2 * 10 * 80, and 40 for each of 10 heads, twice 900,000 numbers each.
    without = estimate(FACTS, sequences=10, extended=False, speed=1e9).seconds
    found = estimate(FACTS, sequences=10, speed=1e9).seconds
    assert found - without == pytest.approx(2 * 900_000 * 6_400 / 0.45e9)


def test_the_time_of_reading_real_text_by_hand() -> None:
    # 7 s to start, .004 s to read 4 MB, 12 s of texts and patterns, 2 s for 2,000 tokens; 900,000
    # numbers on 1.1 * 2,000 + 6,000 = 8,200 tokens: 1.476e10 operations, 32.8 s at 45 % of 1e9.
    found = estimate(FACTS, sequences=64, read_tokens=2_000, speed=1e9)
    assert found.seconds == pytest.approx(53.804)
    request = admin.job_request(model="owner/name", read_tokens=2_000)
    assert admin.estimate_of(request, FACTS).seconds == pytest.approx(
        estimate(FACTS, sequences=64, read_tokens=2_000).seconds
    )


def test_the_time_of_knocking_heads_out_by_hand() -> None:
    # 10 heads and 3 * (21 + 18) groups on 24 texts of 45 tokens, and on 24 of 15: 182,880
    # tokens; 65 % of the layers' 900,000 numbers and 60 % of the unembedding's 100,000, twice each.
    without = estimate(FACTS, sequences=10, causal=False, speed=1e9).seconds
    found = estimate(FACTS, sequences=10, speed=1e9).seconds
    assert found - without == pytest.approx(2 * 645_000 * 182_880 / 0.75e9)
    # A bundled model's 60 held-out passages of 31 tokens take the place of its 24 sentences.
    bundled = estimate(facts(key="demo"), sequences=10, speed=1e9).seconds
    assert bundled - found == pytest.approx(2 * 645_000 * 127 * (60 * 31 - 24 * 15) / 0.75e9)


def test_the_memory_of_an_analysis_by_hand() -> None:
    # 700 MB of libraries, 4 MB of files, 4.4 MB in memory, and 10 bytes for each of
    # 5 heads and 110,000 cells, one layer at a time: 5.5 MB.
    assert estimate(FACTS, sequences=10, speed=1e9).memory_bytes == 713_900_000
    # Batches are bounded: 500,000 cells, 25 MB, however many sequences.
    for sequences in (50, 5_000):
        assert estimate(FACTS, sequences=sequences, speed=1e9).memory_bytes == 733_400_000


def test_files_of_small_numbers_take_less() -> None:
    half = estimate(facts(stored_bytes=2_000_000), sequences=10, speed=1e9)
    assert half.memory_bytes == 713_900_000 - 2_000_000


def test_an_unembedding_of_its_own_is_not_computed_either() -> None:
    assert FACTS.computed_parameters == 900_000
    assert facts(is_tied=False).computed_parameters == 800_000
    assert facts(parameters=10).computed_parameters == 0


def test_the_speed_of_the_machine_is_measured_once() -> None:
    assert 1e8 < admin_estimate.machine_speed() < 1e15
    assert admin_estimate.machine_speed() == admin_estimate.machine_speed()
    assert estimate(FACTS, sequences=10) == estimate(
        FACTS, sequences=10, speed=admin_estimate.machine_speed()
    )


_ANALYSIS_AND_ITS_PEAK = """
import resource, sys
from pathlib import Path
from scripts.analyze_heads import main
code, status = main(sys.argv[1:]), Path("/proc/self/status")
if status.exists():  # what resource says there includes the process that has started this one
    peak = 1024 * int(status.read_text().split("VmHWM:")[1].split()[0])
else:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(peak)
sys.exit(code)
"""


@pytest.mark.slow
def test_the_memory_of_a_real_analysis_is_told_beforehand(tmp_path: Path) -> None:
    """The child process that the page starts, on the bundled model."""
    options = ["--sequences", "8", "--out", str(tmp_path / "out.json")]
    command = [sys.executable, "-c", _ANALYSIS_AND_ITS_PEAK, *options]
    child = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert child.returncode == 0, child.stderr
    peak = int(child.stdout.split()[-1])
    expected = estimate(inspect_model("demo"), sequences=8).memory_bytes
    assert peak / 2 < expected < peak * 2


# ------------------------------------------------------------------ what cannot fit


def test_too_much_memory_is_refused_with_both_numbers_and_the_way_out() -> None:
    needs = estimate(FACTS, sequences=10, speed=1e9)
    admin_estimate.refuse_what_cannot_fit(FACTS, needs, needs.memory_bytes)
    with pytest.raises(TooLargeError) as raised:
        admin_estimate.refuse_what_cannot_fit(FACTS, needs, needs.memory_bytes - 1)
    sentence = str(raised.value)
    assert says(sentence, "'owner/name'", "714 MB", "714 MB")
    assert "python -m scripts.analyze_heads --model owner/name" in sentence


def test_a_download_that_the_disk_cannot_hold_is_refused() -> None:
    needs = estimate(FACTS, sequences=10, speed=1e9)
    room = admin_estimate.free_disk()
    assert 0 < room < 10**18
    admin_estimate.refuse_what_cannot_fit(facts(download_bytes=1), needs, 10**12)
    with pytest.raises(TooLargeError, match=r"1\.0 EB of disk space"):
        admin_estimate.refuse_what_cannot_fit(facts(download_bytes=10**18), needs, 10**12)


def write(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)


def test_the_limit_of_a_container_counts_at_every_level(tmp_path: Path) -> None:
    membership = tmp_path / "cgroup"
    membership.write_text("0::/kubepods/pod7\n")
    write(tmp_path, memory__max="max\n", memory__current="900\n")
    write(
        tmp_path / "kubepods",
        memory__max="1000\n",
        memory__current="700\n",
        memory__stat="anon 600\ninactive_file 50\n",
    )
    write(tmp_path / "kubepods" / "pod7", memory__max="800\n", memory__current="100\n")
    assert container_rooms(tmp_path, membership) == [1_000 - 700 + 50, 800 - 100]
    assert memory.total_memory(tmp_path, membership) == 800


def test_a_container_that_sees_only_its_own_limit(tmp_path: Path) -> None:
    """The path is the host's, the mounted tree the container's."""
    membership = tmp_path / "cgroup"
    membership.write_text("0::/../docker/0123\n")
    write(tmp_path, memory__max="1000\n", memory__current="400\n")
    assert container_rooms(tmp_path, membership) == [600]


def test_the_older_kind_of_limit_counts_too(tmp_path: Path) -> None:
    membership = tmp_path / "cgroup"
    membership.write_text("5:cpu,cpuacct:/\n4:memory:/box\n0::/\n")
    write(
        tmp_path / "memory",
        memory__limit_in_bytes="9223372036854771712",  # "no limit"
        memory__usage_in_bytes="5",
    )
    write(
        tmp_path / "memory" / "box",
        memory__limit_in_bytes="500",
        memory__usage_in_bytes="200",
        memory__stat="inactive_file 1\ntotal_inactive_file 20\n",
    )
    assert container_rooms(tmp_path, membership) == [320]


def test_without_containers_there_is_the_machine(tmp_path: Path) -> None:
    assert container_rooms(tmp_path, tmp_path / "nothing") == []
    assert memory.total_memory(tmp_path, tmp_path / "nothing") > 1e8  # the machine's
    assert 0 < memory.available_memory() <= psutil.virtual_memory().total
