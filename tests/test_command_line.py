"""Every command line: a mistake is one line and exit code 2, and nothing is left half-written."""

from __future__ import annotations

import argparse
import csv
import errno
import importlib
import json
import logging
import os
import subprocess
import sys

import pytest

from headroles import ablation, limits, models, texts
from headroles.errors import DiskError, EmptyPromptError
from headroles.paths import ROOT
from headroles.types import Head
from scripts import (
    ablate_heads,
    analyze_heads,
    check_activity,
    circuits,
    command_line,
    detect_heads,
    train_attention_only,
    train_components,
    train_demo_model,
)

SCRIPTS = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in [*ROOT.glob("scripts/*.py"), *ROOT.glob("scripts/*/__main__.py")]
    if path.stem not in ("__init__", "command_line", "on_prompt")
)


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_command_ends_through_the_one_boundary(name: str, capsys) -> None:
    main = importlib.import_module(name).main
    assert main.__wrapped__.__name__ == "main"
    assert main(["--no-such-option=\x1b[31m\n\udcff"]) == command_line.UNUSABLE
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "\x1b" not in told
    assert "--help" in told


@pytest.mark.parametrize(
    ("main", "command", "says"),
    [
        (ablate_heads.main, ["--seed", "-1"], "from 0 to 2,147,483,647"),
        (ablate_heads.main, ["--top", "-1"], "from 1 to 20"),
        (ablate_heads.main, ["--heads", "L0H99"], "There is no head 'L0H99'. This model has"),
        (ablate_heads.main, ["--heads", "L0H0,x"], "There is no head 'x'"),
        (
            ablate_heads.main,
            ["--model", "attn-only-1l-tiny", "--role", "induction"],
            "The analysis of 'attn-only-1l-tiny' lists no head for the role 'induction'. It lists "
            "heads for diffuse; or name the heads yourself",
        ),
        (ablate_heads.main, ["--role", "inductoin"], "invalid choice"),
        (ablate_heads.main, ["--position", "999"], "There is no position 999 in a prompt of"),
        (
            circuits.main,
            ["--model", "attn-only-1l-tiny", "--composition", "K"],
            "has one layer, so no head reads what another wrote",
        ),
        (ablate_heads.main, ["--prompt", ""], "argument --prompt: it is empty"),
        (ablate_heads.main, ["--prompt", "\udcff"], "bytes that are not UTF-8"),
        (ablate_heads.main, ["--html", "/"], "is a folder"),
        (ablate_heads.main, ["--html", "/dev/null/x.html"], "is a file, not a folder"),
        (check_activity.main, ["--prompts", "9" * 24], "from 1 to 10,000"),
        (check_activity.main, ["--prompts", "9" * 5000], "from 1 to 10,000"),
        (circuits.main, ["--keys", "1e3"], "from 1 to 100"),
        (circuits.main, ["--out", ""], "argument --out: it is empty"),
        (circuits.main, ["--out", "x" * 300], "File name too long"),
        (detect_heads.main, ["--prompts", "/dev/zero"], "is a pipe or a device, not a file"),
        (detect_heads.main, ["--matrix", "/"], "is a folder, not a file"),
        (detect_heads.main, ["--out", "/dev/null"], "is a pipe or a device, not a file"),
        (detect_heads.main, [""], "argument model: it is empty"),
        (ablate_heads.main, ["--position", "last"], "is not a whole number"),
        (ablate_heads.main, ["--prompts", "no/such.csv"], "there is no such file"),
        (ablate_heads.main, ["--offsets", "2", "--json", "x"], "it has no use beside --offsets"),
        (ablate_heads.main, ["--csv", "x", "--json", "x"], "name the same file"),
        (ablate_heads.main, ["--answer", "cat"], "it is for --prompt, which is missing"),
        (ablate_heads.main, ["--samples", "9"], "it is for --offsets, which is missing"),
        (ablate_heads.main, ["--offsets", "2", "--csv", "x"], "it has no use beside --offsets"),
        (ablate_heads.main, ["--offsets", "2", "--roles"], "it has no use beside --offsets"),
        (ablate_heads.main, ["--attention", "x"], "There is no head 'x'"),
        (ablate_heads.main, ["--html", "x", "--csv", "x"], "name the same file"),
        (circuits.main, ["--token", ""], "argument --token: it is empty"),
        (circuits.main, ["--summary", "--format", "markdown"], "only the table of one head"),
        (train_demo_model.main, ["--held-out-only", "--out", "no/such/where"], "no such folder"),
        (analyze_heads.main, ["nonsense"], "There is no model called 'nonsense'"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line(main, command, says, capsys) -> None:
    assert main(command) == command_line.UNUSABLE
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert says in told


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "-0.1", "1e999", "x", "", "1,5"])
def test_a_number_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        command_line.real(limits.Range(0, 10))(text)
    assert command_line.real(limits.Range(0, 10))("2.5") == 2.5


def ended(call) -> int:
    return command_line.command(lambda argv: call())([])


def raising(error: BaseException):
    def call() -> int:
        raise error

    return call


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (EmptyPromptError(), 2, "The prompt is empty."),
        (OSError(errno.ENOSPC, "No space left on device"), 2, "No space left on device"),
        (KeyError("model\nx"), 1, "KeyError: 'model\\nx' (test_command_line.py"),
        (KeyboardInterrupt(), 130, "Stopped."),
        (ModuleNotFoundError("No module named 'x'"), 2, "pip install"),
    ],
)
def test_every_end_is_one_line(error, code, says, capsys) -> None:
    assert ended(raising(error)) == code
    told = capsys.readouterr().err
    assert len(told.strip().splitlines()) == 1
    assert says in told


def test_the_cause_is_shown_to_who_asks_for_it(monkeypatch, capsys) -> None:
    monkeypatch.setenv(command_line.DEBUG, "1")
    assert ended(raising(KeyError("model"))) == 1
    assert "Traceback" in capsys.readouterr().err


def test_what_is_logged_beside_a_sentence_is_not_printed() -> None:
    code = (
        "import logging; from scripts import command_line\n"
        "@command_line.command\n"
        "def main(argv):\n"
        "    logging.getLogger('headroles').warning('shown')\n"
        "    logging.getLogger('headroles').warning('not shown', exc_info=KeyError('x'))\n"
        "    return 0\n"
        "main()"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert result.stderr == "shown\n"


def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch) -> None:
    path = tmp_path / "new" / "out.csv"
    command_line.write(path, b"old")
    assert path.read_bytes() == b"old"

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DiskError, match="the disk is full"):
        command_line.write(path, b"new")
    assert path.read_bytes() == b"old"
    assert [file.name for file in path.parent.iterdir()] == ["out.csv"]


def test_a_folder_gets_all_its_files_or_none(tmp_path) -> None:
    folder = tmp_path / "model"

    def half() -> None:
        with command_line.filling(folder) as new:
            (new / "config.json").write_text("{}")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        half()
    assert list(folder.iterdir()) == []
    with command_line.filling(folder) as new:
        (new / "config.json").write_text("{}")
    assert [file.name for file in folder.iterdir()] == ["config.json"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_a_device_without_room_and_a_pipe_without_reader(tmp_path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (command_line.Path("/dev/full"), tmp_path / "pipe"):
        assert command_line.output(str(path)) == path
        with pytest.raises(DiskError):
            command_line.write(path, b"x" * 100)


@pytest.mark.slow
@pytest.mark.parametrize(("to", "code"), [("| head -1", 141), ("> /dev/full", 2)])
def test_output_that_cannot_be_written_is_no_traceback(to: str, code: int) -> None:
    command = (
        f"{sys.executable} -m scripts.circuits --summary --fragments {to}; exit ${{PIPESTATUS[0]}}"
    )
    result = subprocess.run(
        ["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    assert "Traceback" not in result.stderr
    assert "Exception ignored" not in result.stderr
    assert result.returncode in (code, 0 if "head" in to else code)


def test_nothing_is_filtered_that_has_no_cause() -> None:
    record = logging.LogRecord("headroles", logging.WARNING, "", 0, "said", (), None)
    assert command_line._has_no_cause(record)


def test_a_head_that_is_named_twice_is_knocked_out_once() -> None:
    assert ablate_heads.parse_arguments(["--heads", "L0H0,L1H1,L0H0"]).heads == ((0, 0), (1, 1))


def test_one_prompt_is_no_prompts(capsys) -> None:
    assert detect_heads.main(["--top", "1"]) == command_line.DONE
    assert "activation: 1 prompt, chance" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("main", "options", "code"),
    [
        (train_demo_model.main, ["--export-only"], command_line.UNUSABLE),
        (train_demo_model.main, ["--minutes", "0"], command_line.DONE),
        (train_attention_only.main, ["--minutes", "0"], command_line.DONE),
        (train_components.main, ["--layers", "1", "--minutes", "0"], command_line.DONE),
    ],
)
def test_an_untrained_model_takes_the_place_of_none(main, options, code, tmp_path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"trained for hours")
    folders = ["--out", str(tmp_path), "--checkpoint", str(tmp_path / "runs")]
    assert main([*options, *folders]) == code
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["model.safetensors"]
    assert (tmp_path / "model.safetensors").read_bytes() == b"trained for hours"


def test_a_damaged_checkpoint_is_a_mistake_of_one_line(tmp_path, capsys) -> None:
    (tmp_path / "checkpoint.pt").write_bytes(b"no checkpoint")
    folders = ["--out", str(tmp_path / "out"), "--checkpoint", str(tmp_path)]
    assert train_demo_model.main(["--export-only", *folders]) == command_line.UNUSABLE
    assert "is damaged, or of another kind of model" in capsys.readouterr().err


def test_a_random_position_is_the_same_for_all_that_is_told(capsys) -> None:
    prompt = "The cat sat on the mat. The cat sat on the mat."
    loaded = models.load_model("demo")
    encoding = texts.encode(loaded.tokenizer, prompt, max_tokens=loaded.max_tokens)
    t = ablation.many_prompts.place_of_t(encoding, ablation.many_prompts.RANDOM, seed=4)
    told = []
    for position in ("random", str(t)):
        command = ["--heads", "L0H6", "--prompt", prompt, "--position", position, "--seed", "4"]
        assert ablate_heads.main([*command, "--attention", "L1H4", "--roles"]) == command_line.DONE
        told.append(capsys.readouterr().out)
    assert told[0] == told[1]
    assert f"t = {t} " in told[0]


def test_what_else_changes_is_in_the_files_too(capsys, tmp_path) -> None:
    prompts = ["The cat sat on the mat. The cat", "A dog ran. A dog"]
    asked = [word for prompt in prompts for word in ("--prompt", prompt)]
    files = ["--json", str(tmp_path / "all.json"), "--csv", str(tmp_path / "table.csv")]
    flags = ["--token-by-token", "--attention", "L1H4", "--roles", "--control", "3"]
    assert ablate_heads.main(["--heads", "L0H6", *asked, *flags, *files]) == command_line.DONE
    printed = capsys.readouterr().out
    told = json.loads((tmp_path / "all.json").read_text())
    assert told["provenance"]["what_else_random_draws"] == 3
    for name in ("token_by_token", "attention", "roles"):
        assert list(dict.fromkeys(row["prompt"] for row in told[name])) == prompts
        text = (tmp_path / f"table-{name.replace('_', '-')}.csv").read_text()
        assert text.startswith("# headroles_version: ")
        lines = [line for line in text.splitlines() if not line.startswith("#")]
        assert len(list(csv.DictReader(lines))) == len(told[name])
    loaded = models.load_model("demo")
    encoding = texts.encode(loaded.tokenizer, prompts[1], max_tokens=loaded.max_tokens)
    condition = ablation.Condition("mean", (ablation.HeadOutput((Head(0, 6),), "mean"),))
    clean, own = ablation.ablate(loaded, encoding, [condition])
    rows = [row for row in told["token_by_token"] if row["prompt"] == prompts[1]]
    assert [row["log_probability_untouched"] for row in rows] == pytest.approx(
        (-clean.losses).tolist(), abs=1e-4
    )
    assert [row["log_probability_knocked_out"] for row in rows] == pytest.approx(
        (-own.losses).tolist(), abs=1e-4
    )
    shown = [f"{100 * row['untouched']:.1f}%" for row in told["attention"]]
    assert all(share in printed for share in shown)
