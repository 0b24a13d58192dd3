// The marks of a chart that can be clicked, for the keyboard: one stop for Tab per chart, the arrow
// keys go from mark to mark, and Enter or Space clicks. headroles/charts/base.py names the marks.
//
// Of the buttons over a chart only Fullscreen stays a stop: below each chart or card, its numbers
// and its picture can be had already.
if (!window.headrolesChartKeys) {
  window.headrolesChartKeys = true;
  const MARKS = ".stVegaLiteChart svg [role=button]";
  const DOUBLES = ["Show data", "Download as PNG", "Copy Vega-Lite spec"]
    .map((name) => `[data-testid=stElementToolbar] button[aria-label^="${name}"]`)
    .join();
  const WAYS = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };

  const among = (mark) => [...mark.closest("svg").querySelectorAll("[role=button]")];

  const middle = (mark) => {
    const { x, y, width, height } = mark.getBoundingClientRect();
    return [x + width / 2, y + height / 2];
  };

  /** The next mark that way; in a chart with a single row or column, every arrow leads along it. */
  function neighbour(mark, [right, down]) {
    const marks = among(mark);
    const [x, y] = middle(mark);
    let best = null;
    let least = Infinity;
    for (const other of marks) {
      const [toX, toY] = middle(other);
      const along = (toX - x) * right + (toY - y) * down;
      const aside = Math.abs((toX - x) * down) + Math.abs((toY - y) * right);
      if (along > 1 && along + 3 * aside < least) [best, least] = [other, along + 3 * aside];
    }
    const lies = (axis) => marks.every((other) => Math.abs(middle(other)[axis] - [x, y][axis]) < 1);
    return best ?? (lies(right ? 0 : 1) ? marks[marks.indexOf(mark) + right + down] : null);
  }

  const send = (mark, type) => {
    const [clientX, clientY] = middle(mark);
    mark.dispatchEvent(new PointerEvent(type, { bubbles: true, clientX, clientY, view: window }));
  };

  function visit(mark) {
    for (const other of among(mark)) other.setAttribute("tabindex", other === mark ? 0 : -1);
    mark.focus();
  }

  document.addEventListener("keydown", (event) => {
    const mark = event.target.closest?.(MARKS);
    if (!mark || event.ctrlKey || event.altKey || event.metaKey) return;
    const marks = among(mark);
    const goes = { Home: marks[0], End: marks.at(-1) };
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      send(mark, "click");
    } else if (event.key in WAYS || event.key in goes) {
      event.preventDefault();
      const next = goes[event.key] ?? neighbour(mark, WAYS[event.key]);
      if (next) visit(next);
    }
  });
  // What a mouse reads in the tooltip, the keyboard reads there too.
  document.addEventListener("focusin", ({ target }) => {
    if (target.closest?.(MARKS) && target.matches(":focus-visible")) send(target, "pointermove");
  });
  document.addEventListener("focusout", ({ target }) => {
    if (target.closest?.(MARKS)) send(target, "pointerout");
  });

  /** Charts come, and are drawn anew: each has one mark that Tab stops at. */
  function stops() {
    for (const svg of document.querySelectorAll(".stVegaLiteChart svg")) {
      const marks = svg.querySelectorAll("[role=button]");
      if (marks.length && !svg.querySelector("[role=button][tabindex='0']")) {
        marks.forEach((mark, place) => mark.setAttribute("tabindex", place ? -1 : 0));
      }
    }
    for (const button of document.querySelectorAll(DOUBLES)) button.tabIndex = -1;
  }
  let waiting = false;
  new MutationObserver(() => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      stops();
    });
  }).observe(document.body, { childList: true, subtree: true });
}
