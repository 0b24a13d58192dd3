"""Seconds: the analysis, the detector lab, a prompt, knock-outs and circuits, against what they do.

A figure that is measured on two models is one function with the model as its first argument.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from unittest import mock

import psutil
import torch

from headroles import (
    ablation,
    admin,
    analysis,
    attribution,
    capture,
    circuits,
    corpus,
    detector,
    models,
    reference,
    roles,
    store,
    texts,
    verdicts,
)
from headroles.head_detection import get_active_head_summary
from headroles.texts.examples import DEFAULT_PROMPT
from headroles.texts.probe_texts import batches, pack
from headroles.types import Head, Sequences
from scripts.benchmark.measured import (
    BUNDLED,
    REAL,
    SMALL,
    Figure,
    Measured,
    Subject,
    bare_model,
    gpt2_small,
    in_turn,
    seconds,
)

READ_TOKENS = 2_000
"""Of real text, for its figures."""
CAT_AND_DOG = "The cat sat on the mat. The dog lay by the fire. "


# ------------------------------------------------------------------ against detect_head


def _some_texts(subject: Subject) -> list[str]:
    """Few on a large model: ``detect_head`` runs it once per text and role."""
    count = 8 if subject.is_large else 50
    return [texts.SENTENCES[place % len(texts.SENTENCES)] for place in range(count)]


def _times_faster(subject: Subject) -> str:
    return "at least 8" if subject.is_large else "at least 60"


def analysis_vs_detect_head(subject: Subject, repeats: int) -> Measured:
    """The three roles that both know, on the same prompts: one run each against one pass."""
    prompts = _some_texts(subject)
    with subject.folder() as folder:
        bridge = analysis.load_bridge(str(folder))
        difference = max(analysis.largest_difference(bridge, prompts[:2]).values())
        theirs, own = in_turn(
            lambda: analysis.detect_head_scores(bridge, prompts),
            lambda: analysis.own_detect_head(bridge, prompts),
            repeats=subject.repeats(repeats),
        )
    what = (
        f"detect_head / one batched pass, {len(prompts)} prompts x 3 roles "
        f"(differ by {difference:.0e})"
    )
    return Measured(what, _times_faster(subject), theirs, own)


def detector_vs_detect_head(subject: Subject, repeats: int) -> Measured:
    """The three patterns that both know, by mul: one run each against one batched pass."""
    prompts = _some_texts(subject)
    patterns = [roles.ROLES[name] for name in analysis.DETECTED.values()]
    with subject.folder() as folder:
        bridge, loaded = analysis.load_bridge(str(folder)), models.load_model(str(folder))
        # Whatever start token the bridge prepends, detect_head sees the same.
        batch = roles.prompts_of_ids(
            loaded.tokenizer, pack([bridge.to_tokens(text)[0].tolist() for text in prompts])
        )
        detection = detector.detect(loaded, batch, patterns)
        scores = analysis.detect_head_scores(bridge, prompts)
        difference = max(
            float((detection.summary(place, "mul").mean - theirs).abs().max())
            for place, theirs in enumerate(scores.values())
        )
        slow, own = in_turn(
            lambda: analysis.detect_head_scores(bridge, prompts),
            lambda: detector.detect(loaded, batch, patterns),
            repeats=subject.repeats(repeats),
        )
    what = (
        f"detect_head / detector lab, {len(prompts)} prompts x 3 patterns "
        f"(differ by {difference:.0e})"
    )
    return Measured(what, _times_faster(subject), slow, own)


# ------------------------------------------------------------------ against bare forward passes


def bare_forward(
    folder: Path, groups: Sequence[Sequences], *, max_cells: int
) -> Callable[[], None]:
    """What runs a model over some sequences in batches, eager, and keeps nothing."""
    model = bare_model(folder)

    @torch.inference_mode()
    def run() -> None:
        for group in groups:
            for rows in batches(group, max_cells=max_cells):
                model(group.token_ids[rows, : int(group.lengths[rows].max())])

    return run


def analysis_vs_forward(subject: Subject, repeats: int) -> Measured:
    """The whole analysis against bare batched forward passes of its tokens."""
    with subject.folder() as folder:
        bridge = analysis.load_bridge(str(folder))
        probe = analysis.make_texts(models.load_tokenizer(str(folder)), n=8, seed=0)
        groups = (probe.sentences, probe.control, probe.repeats)
        own, theirs = in_turn(
            lambda: analysis.measure_roles(bridge, probe, seed=0),
            bare_forward(folder, groups, max_cells=reference.MAX_CELLS),
            repeats=subject.repeats(repeats),
        )
    what = f"analysis / bare eager forward of the same batches, {subject.name}"
    return Measured(what, "at most 1.25", own, theirs)


def detector_vs_forward(subject: Subject, repeats: int) -> Measured:
    """A detection of three patterns against bare batched forward passes."""
    with subject.folder() as folder:
        loaded = models.load_model(str(folder))
        prompts, _ = roles.read_prompts(
            loaded.tokenizer, texts.SENTENCES, max_tokens=loaded.max_tokens
        )
        own, theirs = in_turn(
            lambda: detector.detect(loaded, prompts, roles.BUILT_IN[:3]),
            bare_forward(folder, [prompts.sequences], max_cells=detector.MAX_CELLS),
            repeats=subject.repeats(repeats),
        )
    what = (
        f"detector lab / bare eager forward of the same batch, {len(prompts)} prompts, "
        f"{subject.name}"
    )
    return Measured(what, "at most 1.25", own, theirs)


def real_text_vs_forward(subject: Subject, repeats: int) -> Measured:
    """Reading real text with everything that looks on, against bare batched forward passes.

    The time of both grows with the text, so a part of 100,000 tokens has the ratio of all. What is
    run again with its tokens shuffled (at most 10,000 tokens) is left out of both.
    """
    sources = [texts.SOURCES["stories" if not subject.is_large else "manual"]]
    with subject.folder() as folder:
        loaded = models.load_model(str(folder))
        drawn = corpus.draw(loaded.tokenizer, sources, tokens=READ_TOKENS, seed=0)
        entry = models.catalogue_key(str(folder))
        scores = store.read_all().get(entry)

        def read() -> None:
            setting = corpus.Setting(drawn, (loaded.num_layers, loaded.num_heads), scores, 0)
            parts = list(corpus.collectors(setting).values())
            corpus.read(drawn, parts, partial(capture.each_layer, loaded))

        own, theirs = in_turn(
            read,
            bare_forward(folder, [drawn.prompts.sequences], max_cells=corpus.reading.MAX_CELLS),
            repeats=subject.repeats(repeats),
        )
    what = (
        f"real text with all that looks on / bare eager forward of the same {drawn.tokens:,} "
        f"tokens, {subject.name}"
    )
    aim = "at most 1.5" if subject.is_large else "no aim: a tiny model is quicker than any look"
    return Measured(what, aim, own, theirs)


def prompt_vs_forward(subject: Subject, repeats: int) -> Measured:
    """From a prompt to all verdicts, against one bare eager forward pass of its tokens."""
    prompt = CAT_AND_DOG * 12
    with subject.folder() as folder:
        loaded, model = models.load_model(str(folder)), bare_model(folder)
        ids = torch.tensor([capture.capture(loaded, prompt).token_ids])
        listed = [Head(n % loaded.num_layers, n) for n in range(8)]

        def own() -> None:
            run = capture.capture(loaded, prompt)
            scores = verdicts.score_run(run)
            for role, threshold in verdicts.DEFAULT_THRESHOLDS.items():  # eight heads per role
                for head in listed:
                    verdicts.judge(head, role, scores, threshold)

        @torch.inference_mode()
        def bare() -> None:
            model(ids, output_attentions=True)

        first, second = in_turn(own, bare, repeats=repeats if subject.is_large else repeats * 4)
    what = f"prompt to verdicts / bare eager forward, {subject.name}, {ids.shape[1]} tokens"
    return Measured(what, "at most 1.3", first, second)


# ------------------------------------------------------------------ against another way


def extended_vs_basic(subject: Subject, repeats: int) -> Measured:
    """What the extended roles add to an analysis, the loading of the model left out."""
    with subject.folder() as folder:
        bridge, tokenizer = analysis.load_bridge(str(folder)), models.load_tokenizer(str(folder))
        probe = analysis.make_texts(tokenizer, n=64, seed=0)
        extended, basic = in_turn(
            lambda: analysis.measure_extended(bridge, tokenizer, probe, seed=0),
            lambda: analysis.measure_roles(bridge, probe, seed=0),
            repeats=subject.repeats(repeats),
        )
    return Measured(f"extended roles / five basic roles, {subject.name}", "", extended, basic)


def analysis_knockouts_vs_whole_passes(subject: Subject, repeats: int) -> Measured:
    """Knock-outs of an analysis from their first changed layer on, against passes of all layers."""
    with subject.folder() as folder:
        bridge, tokenizer = analysis.load_bridge(str(folder)), models.load_tokenizer(str(folder))
        drawn = analysis.make_texts(tokenizer, n=24, seed=0).repeats
        short = drawn.lengths.argsort()[:8]
        longest = int(drawn.lengths[short].max())
        repeated = Sequences(drawn.token_ids[short, :longest], drawn.lengths[short])
        passes = analysis.knockout_passes
        counted = passes.counted_positions(repeated, "repeats")
        means = passes.untouched(bridge, repeated, counted).means
        layers, heads = bridge.cfg.n_layers, bridge.cfg.n_heads
        conditions = [
            frozenset([Head(layer, head)]) for layer in range(0, layers, 5) for head in range(heads)
        ]

        def knock_out() -> torch.Tensor:
            return passes.knocked_out(bridge, repeated, conditions, counted=counted, means=means)

        def whole() -> torch.Tensor:
            with mock.patch.object(passes, "_is_exact", return_value=False):
                return knock_out()

        difference = float((knock_out() - whole()).abs().max())
        plain, own = in_turn(whole, knock_out, repeats=max(2, subject.repeats(repeats) - 1))
    what = (
        f"knock-outs through all layers / from the first changed one, {len(conditions)} conditions "
        f"x 8 texts, {subject.name} (differ by {difference:.0e})"
    )
    return Measured(what, "at least 2", plain, own)


def knockouts_vs_one_at_a_time(repeats: int) -> Measured:
    """Twenty knock-outs on the default prompt: one after the other, and as rows of one batch.

    A single one takes two rows, because it is compared with the untouched run; twenty share it.
    """
    loaded = models.load_model("demo")
    encoding = texts.encode(loaded.tokenizer, DEFAULT_PROMPT)
    heads = [Head(place % loaded.num_layers, place // loaded.num_layers) for place in range(20)]
    conditions = [ablation.Condition(head.label, (ablation.HeadOutput((head,)),)) for head in heads]
    one_by_one, together = in_turn(
        lambda: [ablation.ablate(loaded, encoding, [condition]) for condition in conditions],
        lambda: ablation.ablate(loaded, encoding, conditions),
        repeats=repeats,
    )
    what = (
        f"20 knock-outs of {len(encoding.tokens)} tokens, one at a time / together, bundled model"
    )
    return Measured(what, "at least 5", one_by_one, together)


def patching_vs_one_by_one(subject: Subject, repeats: int) -> Measured:
    """Every head patched from one prompt into another: a plain pass each, and rows of few passes.

    Both start from the same recorded outputs. Of a large model one head in nine is run by itself,
    and its time is multiplied.
    """
    with subject.folder() as folder:
        loaded = models.load_model(str(folder))
        pair = ablation.ready_pair(loaded, texts.READY_PAIRS[0])
        todo = ablation.every_head(pair, loaded.num_layers, loaded.num_heads)
        ids, length = torch.tensor([pair.second.token_ids]), pair.length
        taken = {"other": ablation.head_outputs(loaded, pair.first.token_ids)}

        def one_by_one(chosen: Sequence[ablation.Condition]) -> None:
            for one in chosen:
                _, outputs = ablation.conditions.edits(
                    [one], [length], num_layers=loaded.num_layers, replacements=taken
                )
                capture.run_edited(loaded, ids, outputs=outputs, last_only=True)

        every = 9 if subject.is_large else 1
        one_by_one(todo.conditions[:3]), todo.all(loaded)  # warm up
        alone, together = [], []
        for repeat in range(subject.repeats(repeats)):
            chosen = todo.conditions[repeat % every :: every]
            took = seconds(partial(one_by_one, chosen))
            alone.append(took * len(todo.conditions) / len(chosen))
            together.append(seconds(partial(todo.all, loaded)))
    what = (
        f"{len(todo.conditions)} heads patched in a pair of {length} tokens, one at a time / "
        f"in batches, {subject.name}"
    )
    return Measured(what, "at least 5", alone, together)


def contributions_vs_second_pass(subject: Subject, repeats: int) -> Measured:
    """A further token that is watched: a pass of its own, and from the recording of the first."""
    with subject.folder() as folder:
        loaded = models.load_model(str(folder))
        encoding = texts.encode(loaded.tokenizer, texts.READY_PAIRS[0].first)
        seen = attribution.record(loaded, encoding)
        target = attribution.resolve_target(loaded, encoding, recording=seen)
        again, kept = in_turn(
            lambda: attribution.project(loaded, attribution.record(loaded, encoding), target),
            lambda: attribution.project(loaded, seen, target),
            repeats=repeats,
        )
    what = (
        f"contributions to a further token of {len(encoding.tokens)}, in a second pass / from the "
        f"recording of the first, {subject.name}"
    )
    return Measured(what, "at least 3", again, kept)


def prompt_during_analysis(repeats: int) -> Measured:
    """A student's prompt while an analysis runs in the background, and while the same one rests."""
    loaded = models.load_model("demo")

    def answer() -> None:
        get_active_head_summary(capture.capture(loaded, CAT_AND_DOG * 4), "demo")

    with gpt2_small() as folder, tempfile.TemporaryDirectory() as name:
        jobs = admin.Jobs(Path(name) / "jobs")
        job = jobs.submit(admin.JobRequest(model=str(folder), sequences=20_000), who="benchmark")
        try:
            while not jobs.watch(job.id).progress.done:
                time.sleep(0.2)
            (child,) = psutil.Process().children()

            def beside_it() -> None:
                child.resume()
                answer()

            def alone() -> None:
                child.suspend()
                answer()

            busy, idle = in_turn(beside_it, alone, repeats=repeats * 4)
            child.resume()
        finally:
            jobs.close()
    what = "prompt to verdicts, bundled model, while an analysis of GPT-2-small size runs / rests"
    return Measured(what, "answers", busy, idle)


def circuits_table_vs_whole(repeats: int) -> Measured:
    """The table of one head of the bundled model: in blocks, against both whole matrices."""
    loaded = models.load_model("demo")
    even = circuits.uniform(2816)
    factors = circuits.head_factors(loaded, Head(0, 6), circuits.CircuitSettings())

    def whole() -> None:
        qk, ov = factors.query @ factors.key.T, factors.value @ factors.out
        (qk.amax(0) * ov.amax(1) * even**0.1).topk(10)

    blocks, at_once = in_turn(lambda: circuits.key_table(factors, even), whole, repeats=repeats)
    what = "key table in blocks, with its lists / both whole matrices and the choice of keys"
    return Measured(what, "at most 1.5", blocks, at_once)


FIGURES: dict[str, Figure] = {
    "analysis_vs_detect_head_bundled": partial(analysis_vs_detect_head, BUNDLED),
    "analysis_vs_detect_head_gpt2_small": partial(analysis_vs_detect_head, SMALL),
    "analysis_vs_forward": partial(analysis_vs_forward, SMALL),
    "analysis_knockouts_real": partial(analysis_knockouts_vs_whole_passes, REAL),
    "knockouts_vs_one_at_a_time": knockouts_vs_one_at_a_time,
    "patching_vs_one_by_one": partial(patching_vs_one_by_one, BUNDLED),
    "patching_vs_one_by_one_real": partial(patching_vs_one_by_one, REAL),
    "contributions_vs_second_pass": partial(contributions_vs_second_pass, BUNDLED),
    "contributions_vs_second_pass_real": partial(contributions_vs_second_pass, REAL),
    "detector_vs_detect_head_bundled": partial(detector_vs_detect_head, BUNDLED),
    "detector_vs_detect_head_gpt2_small": partial(detector_vs_detect_head, SMALL),
    "detector_vs_forward": partial(detector_vs_forward, SMALL),
    "detector_vs_forward_bundled": partial(detector_vs_forward, BUNDLED),
    "detector_vs_forward_real": partial(detector_vs_forward, REAL),
    "extended_vs_basic": partial(extended_vs_basic, BUNDLED),
    "extended_vs_basic_gpt2_small": partial(extended_vs_basic, SMALL),
    "extended_vs_basic_real": partial(extended_vs_basic, REAL),
    "real_text_vs_forward": partial(real_text_vs_forward, BUNDLED),
    "real_text_vs_forward_real": partial(real_text_vs_forward, REAL),
    "prompt_vs_forward": partial(prompt_vs_forward, BUNDLED),
    "prompt_vs_forward_gpt2_small": partial(prompt_vs_forward, SMALL),
    "prompt_vs_forward_real": partial(prompt_vs_forward, REAL),
    "prompt_during_analysis": prompt_during_analysis,
    "circuits_table_vs_whole": circuits_table_vs_whole,
}
