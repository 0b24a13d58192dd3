"""One module for each kind of input: ``case(rng) -> Case``, and perhaps ``SHARE`` (default 1).

``case`` draws everything that is random from ``rng`` and does nothing else that takes time; the
work is done by the :class:`~scripts.fuzz.cases.Case`'s call. The runner gives each input an ``rng``
of its own, made of seed, kind and number, so that any input can be made again alone.
"""
