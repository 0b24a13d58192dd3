"""The section *Sum*: a matrix of the model beside the sum of its components."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from headroles import charts, circuits, view
from headroles.errors import HeadrolesError
from headroles.ui.app import download_button, elements, files, prompt_form, run_prompt
from headroles.ui.components import caches as component_caches
from headroles.ui.components import choose, picture_caches
from headroles.ui.components import files as component_files
from headroles.view.html import escape, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from headroles.charts.drawing import Drawing
    from headroles.circuits.reconstruction import Reconstruction
    from headroles.ui.app.files import File, Table
    from headroles.ui.components.choose import Chosen
    from headroles.ui.components.files import Titled

Errors = list[tuple[tuple[int, str], int, float]]


def draw() -> None:
    """Draw the section."""
    chosen = choose.draw()
    if chosen is None:
        return
    try:
        with st.spinner("Adding up the components."):
            found = picture_caches.reconstruction(chosen.model, chosen.kind, chosen.place)
            errors = picture_caches.errors(chosen.model, chosen.kind, chosen.layer)
    except HeadrolesError as error:
        elements.show_error(error)
        return
    words = view.component_pictures
    said = words.reconstruction_sentence(found, chosen.matrix, chosen.layer)
    elements.conclusion(escape(said))
    _pictures(chosen, found)
    _on_prompt(chosen)
    st.subheader(_every(chosen), anchor=False)
    headers, rows = words.error_rows(errors)
    elements.html(table(headers, rows))
    exact = " Components of the SVD sum to the matrix exactly, up to rounding."
    elements.note(
        "Missing: the size of the difference beside the size of the matrix (root of the sum of "
        f"squares).{'' if chosen.kind == circuits.TRAINED else exact}"
    )
    with download_button.popover():
        download_button.buttons(_files(chosen, found, errors, said))
        download_button.about("The error of each matrix, and of each head of this one.")


def _every(chosen: Chosen) -> str:
    """The heading of the table: of all matrices, or of those of one layer."""
    is_all = chosen.kind == circuits.TRAINED
    return "Every matrix" if is_all else f"The matrices of layer {chosen.layer}"


def _pictures(chosen: Chosen, found: Reconstruction) -> None:
    """Three pictures side by side, the first two with one scale of shades."""
    words = view.component_pictures
    most = _most(found)
    missing = float(found.difference.abs().max())
    names = (
        ("The model’s matrix", found.target, most),
        (f"Sum of {found.components} components", found.total, most),
        ("Difference (own shades)", found.difference, missing),
    )
    for number, (place, (name, blocks, scale)) in enumerate(
        zip(st.columns(3, gap="medium"), names, strict=True)
    ):
        shades = words.shade_sentence(
            blocks, scale, is_rounding=words.is_exact(found) and blocks is found.difference
        )
        with place:
            elements.html(f'<p class="hr-small"><b>{escape(name)}</b></p>')
            elements.chart(
                _matrix(chosen, found, blocks, scale),
                key=f"components-matrix_{number}",
                alt_text=f"{name}: {found.shape[0]} × {found.shape[1]} numbers as squares; "
                f"{shades}.",
            )
            elements.note(shades)
    elements.note(
        f"{escape(words.block_sentence(found))} Rows: what is read; columns: what is written."
        f"{words.lines_sentence(found.heads, chosen.matrix)}"
    )
    with st.expander("As a table, head by head", key="components-matrix_table"):
        headers, rows = words.head_rows(found, chosen.matrix)
        elements.html(table(headers, rows))


def _most(found: Reconstruction) -> float:
    return float(max(found.target.abs().max(), found.total.abs().max()))


def _matrix(chosen: Chosen, found: Reconstruction, blocks: Tensor, scale: float) -> Drawing:
    across = chosen.matrix != "o"
    return charts.component_pictures.matrix(
        view.component_pictures.matrix_records(blocks, scale, is_rms=found.side > 1),
        view.component_pictures.head_edges(found, across=across),
        shape=tuple(blocks.shape),
        heads_across=across,
        unit="root mean square" if found.side > 1 else "number",
    )


def _on_prompt(chosen: Chosen) -> None:
    """How far the model with all components is from the model, on the prompt."""
    if chosen.kind != circuits.TRAINED:
        st.subheader("The whole model", anchor=False)
        elements.html(f'<p class="hr-explain">{view.component_pictures.EXACT}</p>')
        return
    st.subheader("The whole model on your prompt", anchor=False)
    prompt_form.folded(key="components-sum_prompt")
    answer = run_prompt.run()
    if answer is None:
        return
    elements.cut_off(answer.run.encoding)
    encoding = answer.run.encoding
    try:
        with st.spinner("Running the model with all components."):
            compared = component_caches.all_components(
                chosen.model, chosen.kind, encoding.token_ids, encoding
            )
    except HeadrolesError as error:
        elements.show_error(error)
        return
    elements.html(
        f'<p class="hr-explain">{escape(view.component_pictures.prompt_sentence(compared))}</p>'
    )


def _files(chosen: Chosen, found: Reconstruction, errors: Errors, said: str) -> Sequence[File]:
    matrix = f"{chosen.kind} L{chosen.layer}{chosen.matrix.upper()}"
    parts = (
        ("Matrix", found.target, _most(found)),
        ("Sum", found.total, _most(found)),
        ("Difference", found.difference, float(found.difference.abs().max())),
    )
    offered = files.tables(
        "Errors",
        partial(_table, chosen, errors, said),
        name=(chosen.model, f"{chosen.kind} errors"),
        rows="matrices",
    )
    offered += files.tables(
        "Heads",
        partial(_head_table, chosen, found, said),
        name=(chosen.model, f"{matrix} errors by head"),
        rows="heads",
    )
    offered += component_files.report(
        f"The {view.component_pictures.MATRICES[chosen.matrix]} matrix of layer {chosen.layer} and "
        "the sum of its components",
        said,
        partial(_titled, chosen, found, errors),
        name=(chosen.model, f"{matrix} sum"),
        origin=partial(_origin, chosen, said),
    )
    for name, blocks, scale in parts:
        offered += files.pictures(
            partial(_matrix, chosen, found, blocks, scale),
            name=(chosen.model, f"{matrix} {name.lower()}"),
            title=f"{name}: {said}",
            about=files.about_picture(chosen.model),
            width=420,
            what=name,
        )
    return offered


def _table(chosen: Chosen, errors: Errors, said: str) -> Table:
    return view.component_pictures.error_exports(errors), _origin(chosen, said)


def _head_table(chosen: Chosen, found: Reconstruction, said: str) -> Table:
    return view.component_pictures.head_exports(found), _origin(chosen, said)


def _origin(chosen: Chosen, said: str) -> dict[str, object]:
    return component_files.of_model(chosen.model, chosen.kind, conclusion=said)


def _titled(chosen: Chosen, found: Reconstruction, errors: Errors) -> list[Titled]:
    words = view.component_pictures
    return [
        ("Head by head", *words.head_rows(found, chosen.matrix)),
        (_every(chosen), *words.error_rows(errors)),
    ]
