"""A class of visitors on a server of its own: how long they wait, and whether each gets its answer.

    python -m scripts.load_test            # 1, 10, 50 and 150 visitors; about eight minutes
    python -m scripts.load_test --quick    # ten visitors for a quarter of a minute

Real visits over Streamlit's websocket protocol, on the loopback alone. Every visitor types prompts
of its own, and every answer is held against numbers that are computed apart from the app.
"""
