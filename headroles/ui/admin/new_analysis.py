"""A new analysis: which models, with which settings, and what it will take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import streamlit as st

from headroles import admin, limits, models, view
from headroles.errors import (
    HeadrolesError,
    ModelUnavailableError,
    NotSignedInError,
    SourceError,
)
from headroles.formatting import in_one_line
from headroles.models import DEFAULT_MODEL
from headroles.roles import MIN_SEQUENCES, ROLES, SCORED_ROLES
from headroles.ui.admin import state
from headroles.ui.admin.desk import AdminSession, run_action
from headroles.ui.app import caches, elements
from headroles.view import jobs
from headroles.view.html import count, plain, sentence

if TYPE_CHECKING:
    from headroles.admin import JobRequest, Prospect


def draw(desk: AdminSession, running: Sequence[JobRequest]) -> None:
    """Draw the settings, what each model will take, and the button that starts.

    Args:
        desk: the sign-in at hand.
        running: what runs or waits already; it cannot be started a second time.
    """
    with st.container(border=True, key="admin-new_analysis"):
        wanted_models = _models()
        settings = _settings()
        if not wanted_models:
            st.info("Choose a model, or type the id of a model on the Hugging Face Hub.")
            return

        wanted = list(filter(None, (_request(model, settings) for model in wanted_models)))
        fitting = [request for request in wanted if prospect_row(desk, request)]
        left_out = len(wanted_models) - len(fitting)
        new = [request for request in fitting if request not in running]
        if len(new) < len(fitting):
            st.caption("Already waiting or running with these settings: see above.")
        _start(desk, new, left_out=left_out)


def _request(model: str, settings: Mapping[str, object]) -> JobRequest | None:
    """What is asked for; of what nobody can ask for, why."""
    try:
        return admin.job_request(model=model, **settings)
    except HeadrolesError as error:
        name = plain(in_one_line(model, limit=60))
        st.warning(f"**{name} is left out.** {plain(error.message)}", icon=":material/block:")
        return None


def _models() -> list[str]:
    left, right = st.columns(2, gap="medium")
    with left:
        listed = st.multiselect(
            "Models",
            view.offer.offered(hidden=True),
            default=[DEFAULT_MODEL],
            format_func=jobs.model_name,
            key=state.MODELS,
            persist_state="session",
            placeholder="Choose one or more",
            help="The models on this server, including hidden ones. They are analysed one after "
            "another.",
        )
    with right:
        typed = st.text_area(
            "Other models on the Hugging Face Hub",
            key=state.HUB_IDS,
            persist_state="session",
            height=68,
            placeholder="EleutherAI/pythia-160m",
            help="Type each id as it stands in the model's address, one per line or separated by "
            "commas. Only safetensors weights are read, and no code of the model is run. Folders "
            "on the server are not accepted.",
        )
    return list(dict.fromkeys([*listed, *jobs.hub_ids(typed)]))


def _settings() -> dict[str, object]:
    left, middle, right = st.columns(3, gap="medium")
    with left:
        sequences = st.number_input(
            "Sequences",
            *limits.SEQUENCES,
            64,
            step=8,
            key=state.SEQUENCES,
            persist_state="session",
            help="How many random repeated sequences each head is scored on. More take longer and "
            f"give a smaller standard error; {MIN_SEQUENCES} or more give good scores.",
        )
    with middle:
        seed = st.number_input(
            "Seed",
            *limits.SEED,
            0,
            key=state.SEED,
            persist_state="session",
            help="Fixes every random choice: the same seed gives the same scores. Try another seed "
            "to see how much of a score is chance.",
        )
    with right:
        cap = st.number_input(
            "Cap",
            *limits.CAP,
            8,
            key=state.CAP,
            persist_state="session",
            help="The most heads that a role lists. You can still change it after the analysis.",
        )
    return {
        "sequences": sequences,
        "seed": seed,
        "cap": cap,
        **_parts(),
        "thresholds": _thresholds(),
    }


def _parts() -> dict[str, bool]:
    left, right = st.columns(2, gap="medium")
    with left:
        causal = st.toggle(
            "Knock out heads as well",
            value=True,
            key=state.CAUSAL,
            persist_state="session",
            help="Knocks out each listed head, and then all heads of a role together, and measures "
            "how much worse the model gets: the evidence by ablation in a head's passport. This is "
            "the longest part. Without it, nothing shows whether a listed head matters.",
        )
    with right:
        extended = st.toggle(
            "Extended roles as well",
            value=True,
            key=state.EXTENDED_TOO,
            persist_state="session",
            help="More roles, from delimiters to retrieval, and how far back each head "
            "looks. Without them, students cannot see these roles for this model.",
        )
    return {"causal": causal, "extended": extended}


def _thresholds() -> dict[str, float]:
    with st.expander("Thresholds: by the rule, or by hand", key="admin-thresholds"):
        chosen = st.multiselect(
            "Set by hand for",
            [role.key for role in SCORED_ROLES],
            format_func=lambda key: ROLES[key].name,
            key=state.BY_HAND,
            persist_state="session",
            placeholder="No role: the rule sets all of them",
            help="A head has a role when its score reaches the role's threshold. The rule sets it "
            "to 0.40 of the attention (0.70 of evenness for Diffuse), or higher where random "
            "cells get more than that on single texts. You can also move it after the analysis, "
            "and see at once what that changes.",
        )
        return {
            key: st.slider(
                ROLES[key].name,
                min_value=0.01,
                max_value=0.99,
                value=ROLES[key].default_threshold,
                step=0.01,
                key=state.by_hand_key(key),
                persist_state="session",
                help=_what_is_scored(key),
            )
            for key in chosen
        }


def _what_is_scored(key: str) -> str:
    role = ROLES[key]
    if not role.has_cells:
        return "The score is how even a head's attention is: 1 is perfectly even."
    return f"The score is the share of a head's attention on {role.looks_at}{role.aside}: 0 to 1."


def prospect_row(desk: AdminSession, request: JobRequest, *, where: str = "") -> bool:
    """Show what an analysis will take; returns whether it can be started.

    Args:
        desk: the sign-in at hand.
        request: what is asked for.
        where: the form that it stands in, for the key of a button.
    """
    try:
        elements.html(jobs.prospect_line(_prospect(desk, request)))
    except NotSignedInError:
        raise
    except HeadrolesError as error:
        name = plain(jobs.model_name(request.model))
        body = f"**{name} is left out.** {plain(error.message)}  \n{sentence(error.hint)}"
        st.warning(body, icon=":material/block:")
        if isinstance(error, ModelUnavailableError | SourceError):
            st.button(
                "Ask again",
                key=f"admin-ask_again_{where}{request.model}",
                icon=":material/refresh:",
                on_click=st.session_state[state.PROSPECTS].clear,
            )
        return False
    return True


def _prospect(desk: AdminSession, request: JobRequest) -> Prospect:
    """Ask the Hub once per model, because it may be slow; check the free memory every time."""

    known = st.session_state[state.PROSPECTS]
    if request.model not in known:
        with st.spinner(f"Looking up {plain(jobs.model_name(request.model))} …"):
            caches.import_libraries()
            try:
                known[request.model] = desk.office.prospect(desk.ticket, request)
            except NotSignedInError:
                raise
            except HeadrolesError as error:
                known[request.model] = error
    prospect = known[request.model]
    if isinstance(prospect, HeadrolesError):
        raise prospect
    estimate = admin.estimate_of(request, prospect.facts)
    fresh = replace(
        prospect, request=request, estimate=estimate, available=models.memory.available_memory()
    )
    admin.estimate.refuse_what_cannot_fit(fresh.facts, fresh.estimate, fresh.available)
    return fresh


def _start(desk: AdminSession, requests: list[JobRequest], *, left_out: int) -> None:
    if requests and requests[0].sequences < MIN_SEQUENCES:
        st.caption(
            f"{count(requests[0].sequences, 'sequence')} give rough scores, enough for a try; "
            f"use {MIN_SEQUENCES} or more for a class."
        )
    label = "Start" if len(requests) < 2 else f"Start {len(requests)} analyses"
    st.button(
        label,
        type="primary",
        icon=":material/play_arrow:",
        key="admin-start",
        disabled=not requests,
        help=f"{count(left_out, 'model')} left out: see above." if left_out else None,
        on_click=start,
        args=(desk, requests),
    )


def start(desk: AdminSession, requests: Sequence[JobRequest]) -> None:
    """Queue analyses; errors are shown on the page."""
    if run_action(lambda: desk.office.start(desk.ticket, requests)):
        state.set_notice(None)
