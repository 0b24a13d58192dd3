"""The small pictures of the glossary. Pure."""

from __future__ import annotations

from headroles.view.strokes import arrow, bars, box, boxes, dots, grid, line, steps, words

PICTURES: dict[str, tuple[str, str]] = {
    "head": (boxes("The cat sat", looks=((2, 1),)), "An arrow from “sat” back to “cat”"),
    "head_name": (
        words(60, 26, "L0 H6", size=20) + words(36, 46, "layer") + words(84, 46, "head"),
        "L0 is the layer, H6 the head",
    ),
    "attention": (
        boxes("The cat sat", looks=((2, 1), (2, 0))),
        "Arrows from “sat” to the tokens before it",
    ),
    "pattern": (grid("9", "81", "183", "0281"), "A grid of cells, filled below its diagonal"),
    "query": (boxes("The cat sat", looks=((2, 1),), shaded=(2,)), "“sat”, where the arrow starts"),
    "key": (boxes("The cat sat", looks=((2, 1),), shaded=(1,)), "“cat”, where the arrow ends"),
    "value": (
        boxes("The cat sat", shaded=(1,)) + arrow((60, 30), (98, 30), bend=24),
        "Something is carried from “cat” to “sat”",
    ),
    "resting": (
        boxes("▸ The cat", looks=((2, 0), (1, 0)), shaded=(0,)),
        "All arrows go to the first box",
    ),
    "softmax": (
        bars(0.6, 0.3, 0.1) + words(90, 47, "= 100%"),
        "Three bars that make 100% together",
    ),
    "attention_sink": (
        boxes("▸ The cat sat", looks=((3, 0), (2, 0), (1, 0)), shaded=(0,)),
        "Arrows from every token to the first box",
    ),
    "learned_sink": (
        boxes("The cat sat", y=34) + arrow((101, 32), (60, 6), bend=6) + words(60, 5, "…", size=14),
        "An arrow from “sat” to a place above all tokens",
    ),
    "sliding_window": (
        boxes("The cat sat down", looks=((3, 2),), shaded=(2, 3)),
        "Of four tokens only the last two are in sight",
    ),
    "token": (boxes("The cat sat ."), "“The cat sat.” cut into four boxes"),
    "start_token": (
        boxes("▸ The cat", shaded=(0,)),
        "A row of tokens whose first box is a start mark",
    ),
    "bos": (boxes("BOS The cat", shaded=(0,)), "BOS in front of “The cat”"),
    "prompt": (boxes("The cat sat …", shaded=(3,)), "“The cat sat”, and a box for what comes next"),
    "layer": (steps("layer 0", "layer 1"), "Two boxes, layer 0 leading to layer 1"),
    "mlp": (steps("heads", "MLP", shaded=(1,)), "In a layer, the heads come first, then the MLP"),
    "embedding": (
        boxes("cat", y=4) + words(60, 46, "0.3  −1.2  0.8 …"),
        "“cat” above a list of numbers",
    ),
    "unembedding": (steps("numbers", "logits"), "Numbers become logits"),
    "effective_embedding": (
        steps("cat", "block", "cat*", shaded=(2,)),
        "“cat” goes through the first block and is changed",
    ),
    "residual_stream": (
        line((4, 28), (116, 28))
        + arrow((30, 28), (40, 12))
        + arrow((52, 12), (62, 27))
        + box(38, 4, 14, 12)
        + arrow((74, 28), (84, 44))
        + arrow((96, 44), (106, 29))
        + box(82, 40, 14, 12),
        "A line with boxes that read from it and add to it",
    ),
    "layer_norm": (
        bars(0.9, 0.15) + arrow((62, 40), (90, 40)),
        "A long and a short bar are brought in line",
    ),
    "logit": (bars(0.8, 0.45, 0.2), "Three bars, one per possible token"),
    "contribution": (
        box(6, 8, 30, 12, shade=0.4)
        + box(36, 22, 42, 12, shade=0.4)
        + box(78, 36, 26, 12, shade=0.4)
        + line((6, 52), (104, 52)),
        "Three bars, each from where the one before ended, add up to a line",
    ),
    "logit_difference": (
        bars(0.8, 0.45) + line((55, 6), (55, 50), dashed=True) + arrow((55, 44), (90, 44)),
        "Two bars, and an arrow from the end of the shorter to that of the longer",
    ),
    "final_norm": (steps("sum", "÷ size", "logits"), "The sum is divided by its size, then read"),
    "log_probability": (bars(1.0, 0.5, 0.25), "Bars of 100%, 50% and 25%: equal steps down"),
    "nats": (
        bars(0.8, 0.4) + words(86, 46, "−0.69"),
        "A bar, and one half as long: 0.69 nats less",
    ),
    "loss": (
        boxes("The cat ?", y=4, shaded=(2,)) + words(60, 46, "“sat” → 1.2 nats"),
        "The guess after “The cat”, compared with the real next word",
    ),
    "kl": (
        bars(0.7, 0.4, 0.2, shade=0.45) + line((60, 12), (75, 20), (45, 28), (20, 44), dashed=True),
        "Three bars, and a dashed line where they were before",
    ),
    "chat_format": (boxes("user: Hello end", shaded=(0, 2)), "“Hello” between two marks"),
    "analysis": (
        steps("texts", "heads", "roles"),
        "Texts go through the heads, and roles come out",
    ),
    "role": (boxes("The cat sat", looks=((1, 0), (2, 1))), "Each token looks at the one before it"),
    "previous_token": (
        boxes("The cat sat", looks=((1, 0), (2, 1))),
        "Each token looks at the one before it",
    ),
    "induction": (
        boxes("cat sat … cat", looks=((3, 1),), shaded=(0, 3)),
        "The second “cat” looks at “sat”, which followed the first",
    ),
    "duplicate_token": (
        boxes("cat sat … cat", looks=((3, 0),), shaded=(0, 3)),
        "The second “cat” looks at the first",
    ),
    "positional": (
        boxes("▸ The cat", looks=((2, 0), (1, 0)), shaded=(0,)),
        "All arrows go to the first box",
    ),
    "diffuse": (
        boxes("The cat sat .", looks=((3, 0), (3, 1), (3, 2))),
        "Arrows to every token before",
    ),
    "other": (
        boxes("The cat sat") + words(60, 22, "?", size=20),
        "Three tokens under a question mark",
    ),
    "extended": (boxes("Mon → Tue", shaded=(2,)), "From “Mon” to “Tue”"),
    "delimiter": (boxes("cat , a dog", looks=((3, 1),), shaded=(1,)), "“dog” looks at the comma"),
    "fixed_offset": (boxes("a b c d", looks=((2, 0), (3, 1))), "Each token looks two places back"),
    "subword_merge": (
        boxes("lo qu acious", looks=((1, 0), (2, 0), (2, 1))),
        "The pieces of “loquacious” look at the pieces before",
    ),
    "long_prefix": (
        boxes("a b … a", looks=((3, 1),), shaded=(0, 3)),
        "The end looks behind the longest match",
    ),
    "semantic_category": (
        boxes("red cat blue dog", looks=((2, 0), (3, 1))),
        "“blue” looks at “red”, “dog” at “cat”",
    ),
    "brackets": (boxes("( a b )", looks=((3, 0),), shaded=(0,)), "“)” looks at “(”"),
    "successor": (boxes("Mon → Tue", shaded=(2,)), "From “Mon” to “Tue”"),
    "ioi": (boxes("Ann Bob Bob ?", shaded=(0,)), "Ann, Bob, Bob: the answer is Ann"),
    "name_mover": (
        boxes("Ann Bob Bob ?", looks=((3, 0),), shaded=(0,)),
        "The end looks back at “Ann”",
    ),
    "s_inhibition": (
        boxes("Ann Bob Bob ?", looks=((3, 2),)) + line((84, 6), (98, 22)) + line((98, 6), (84, 22)),
        "The look at “Bob” is crossed out",
    ),
    "copy_suppression": (
        boxes("cat sat … cat", looks=((3, 1),)) + words(14, 22, "−", size=18),
        "A look with a minus sign",
    ),
    "retrieval": (
        boxes("… key … key", looks=((3, 1),), shaded=(1,)),
        "The word that is said looks at itself in the text",
    ),
    "needle": (boxes("… … key …", shaded=(2,)), "One box among others is dark"),
    "score": (bars(0.89) + words(62, 52, "0.89"), "A bar of 0.89"),
    "active": (bars(0.8, chance=0.2, needs=0.4), "A filled bar that passes the dashed line"),
    "quiet": (
        bars(0.25, shade=0.08, chance=0.1, needs=0.4),
        "An empty bar, short of the dashed line",
    ),
    "not_applicable": (
        boxes("The cat sat") + words(60, 22, "no repeat"),
        "Three tokens, none of them repeated",
    ),
    "too_short": (boxes("The", y=22), "One token alone"),
    "chance": (bars(0.6, chance=0.25), "A bar with a thick tick near its beginning"),
    "threshold": (bars(0.6, needs=0.4), "A bar that passes a dashed line"),
    "needs": (
        bars(0.45, shade=0.1, chance=0.35, needs=0.6),
        "A tall tick, and a dashed line beyond it",
    ),
    "listed": (
        bars(0.9, 0.8, 0.7) + words(114, 20, "1", anchor="end") + words(114, 34, "2", anchor="end"),
        "Bars in order, the longest first",
    ),
    "activation": (bars(0.7, chance=0.2), "A bar of 70%"),
    "detection_pattern": (
        grid("0", "90", "090", "0090"),
        "A grid with the cells beside its diagonal filled",
    ),
    "detect_head": (
        grid("0", "90", "090", "0090"),
        "A grid with the cells beside its diagonal filled",
    ),
    "mul": (grid("1", "91", "190", "0190"), "A pattern with attention on its cells"),
    "abs": (
        bars(0.9, 0.6) + line((70, 38), (100, 38)),
        "Two bars, and the difference between them",
    ),
    "mean": (dots(60, 28, 48, 66, 98), "Four dots, and a tick at their average"),
    "spread": (
        dots(60, 28, 48, 66, 98, around=28),
        "Four dots, and a bracket around their average",
    ),
    "standard_error": (
        dots(60, 28, 48, 66, 98, around=9),
        "Four dots, and a narrow bracket around their average",
    ),
    "control": (bars(0.8, 0.15), "A long bar, and a short one for the control"),
    "p_value": (
        dots(60, 30, 44, 52, 60, 68, 76, 108),
        "Many dots near the middle, and one far out",
    ),
    "knock_out": (steps("head", "guess", crossed=(0,)), "A head is crossed out before the guess"),
    "direct_effect": (steps("head", "logit"), "An arrow from the head straight to the logit"),
    "holds_up": (bars(0.8, 0.15), "A long bar for the head, a short one for others"),
    "backed_up": (
        steps("head", "guess", crossed=(0,)) + words(60, 54, "another head steps in", size=9.5),
        "A head is crossed out, and another steps in",
    ),
    "backup_head": (
        bars(0.1, 0.15, 0.8),
        "Two short bars for each alone, a long one for both together",
    ),
    "smallest_set": (
        dots(80, 20, 32, 44, 56, 68, 80),
        "Dots for heads, and a tick where the last ones that are needed begin",
    ),
    "log_odds": (
        line((10, 50), (50, 44), (70, 12), (110, 6), dashed=True) + line((10, 54), (110, 2)),
        "A straight line that goes on where a curve has reached its ceiling",
    ),
    "not_special": (bars(0.4, 0.42), "Two bars of the same length"),
    "opposite": (
        line((60, 6), (60, 50)) + box(20, 20, 40, 16, shade=0.5),
        "A bar to the left of zero",
    ),
    "redundancy": (
        boxes("The cat sat", shaded=(1,)) + arrow((60, 30), (98, 30), bend=24),
        "Something is carried from “cat” to “sat”",
    ),
    "patching": (
        box(4, 4, 70, 20)
        + words(39, 18, "first")
        + box(4, 36, 70, 20)
        + words(39, 50, "second")
        + arrow((39, 24), (39, 36))
        + arrow((74, 46), (104, 46)),
        "Something of the first prompt is put into the second",
    ),
    "denoising": (
        steps("first", "second", shaded=(0,)) + words(60, 54, "does it suffice?", size=9.5),
        "Something of the first prompt goes into the second",
    ),
    "noising": (
        steps("second", "first", shaded=(1,)) + words(60, 54, "is it needed?", size=9.5),
        "Something of the second prompt goes into the first",
    ),
    "recovered_share": (
        box(10, 20, 100, 18) + box(10, 20, 41, 18, shade=0.5) + words(30, 54, "41%", size=9.5),
        "A bar that is filled to two fifths",
    ),
    "path_patching": (
        steps("L14H2", "L23H0", shaded=(0,)) + words(60, 54, "only this way", size=9.5),
        "One arrow from L14H2 to L23H0",
    ),
    "sender": (steps("sender", "receiver"), "An arrow from the sender to the receiver"),
    "weights": (
        "".join(
            box(36 + 16 * k, 4 + 16 * q, 14, 14, shade=shade)
            for q, row in enumerate(((0.8, 0.2, 0.5), (0.1, 0.7, 0.3), (0.4, 0.1, 0.9)))
            for k, shade in enumerate(row)
        ),
        "A square of darker and lighter cells",
    ),
    "qk": (boxes("The cat sat", looks=((2, 1),)), "An arrow from “sat” back to “cat”"),
    "ov": (
        steps("cat", "head", "cat ↑", shaded=(2,)),
        "A head that looks at “cat” makes it likelier",
    ),
    "composition": (steps("L0H6", "L1H1", shaded=(0,)), "What L0H6 writes, L1H1 reads"),
    "copying": (
        line((10, 30), (110, 30))
        + line((10, 22), (10, 38))
        + line((110, 22), (110, 38))
        + words(14, 52, "−1")
        + words(104, 52, "+1")
        + '<circle cx="92" cy="30" r="5" fill="currentColor"/>',
        "A dot near the right end of a scale from −1 to +1",
    ),
    "eigenvalue": (
        arrow((20, 44), (50, 30)) + arrow((20, 44), (104, 6)),
        "A short arrow made longer",
    ),
    "self_match": (
        boxes("cat sat … cat", looks=((3, 0),), shaded=(0, 3)),
        "“cat” looks at an earlier “cat”",
    ),
    "importance": (steps("QK", "OV", "p^0.1"), "Three factors, QK, OV and p^0.1"),
    "positions": (
        arrow((36, 44), (36, 10)) + arrow((84, 44), (106, 18)),
        "An arrow, and the same one turned",
    ),
    "component": (
        box(12, 16, 24, 24, shade=0.5)
        + words(46, 32, "=")
        + box(56, 16, 14, 24, shade=0.15)
        + words(78, 32, "+")
        + box(86, 16, 14, 24, shade=0.15),
        "A square equals two pieces added",
    ),
    "spd": (
        box(12, 16, 24, 24, shade=0.5)
        + arrow((42, 28), (64, 28))
        + box(72, 10, 36, 8, shade=0.5)
        + box(72, 24, 36, 8)
        + box(72, 38, 36, 8),
        "A square is split into three strips, one of them filled",
    ),
    "causal_importance": (
        line((10, 30), (110, 30))
        + line((10, 22), (10, 38))
        + line((110, 22), (110, 38))
        + words(14, 52, "0")
        + words(106, 52, "1")
        + '<circle cx="92" cy="30" r="5" fill="currentColor"/>',
        "A dot near the right end of a scale from 0 to 1",
    ),
    "inner_activation": (
        arrow((20, 46), (100, 46))
        + arrow((20, 46), (76, 12))
        + line((76, 12), (76, 46), dashed=True),
        "An arrow, and how far it reaches along another one",
    ),
    "alive": (
        bars(0.9, 0.05, 0.6),
        "Two long bars, and one that is next to nothing",
    ),
    "singular": (bars(0.9, 0.5, 0.25), "Three bars, each shorter than the one before"),
    "bias": (bars(0.5) + box(60, 18, 18, 14, shade=0.15), "A bar with a fixed piece added"),
}
"""{key of a term: (SVG elements, the same in words)}."""
