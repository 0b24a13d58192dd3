// What is wider than its place. A table with many columns becomes a card per row on a narrow place,
// where every cell says its column; anything else is scrolled sideways, with the keyboard too, and
// fades out where there is more to see (style.css, "Wider than their place").
if (!window.headrolesTables) {
  window.headrolesTables = true;
  const WIDE =
    ".hr-table, .hr-aligned, .dvn-scroller, .st-key-app-examples, .st-key-answer-offers";
  const LONG = "[data-testid=stPopoverBody]"; // Streamlit lets only a mouse scroll it
  const FEW = 3; // columns, which are scrolled rather than stacked
  const NARROW = 640; // pixels

  function stack(box) {
    box.classList.remove("hr-cards");
    const heads = [...box.querySelectorAll("thead th")].map((head) => {
      const words = head.cloneNode(true);
      words.querySelectorAll(".hr-tip").forEach((definition) => definition.remove());
      return words.textContent.trim();
    });
    if (heads.length <= FEW || box.clientWidth >= NARROW) return;
    if (box.scrollWidth <= box.clientWidth) return;
    for (const row of box.querySelectorAll("tbody tr")) {
      [...row.cells].forEach((cell, place) => (cell.dataset.label = heads[place] ?? ""));
    }
    box.classList.add("hr-cards");
  }

  function fade(box) {
    const more = box.scrollWidth - box.clientWidth;
    const sides = [box.scrollLeft > 1 && "left", box.scrollLeft < more - 1 && "right"];
    box.dataset.more = sides.filter(Boolean).join(" ");
    if (box.matches(".hr-table, .hr-aligned")) box.tabIndex = more > 1 ? 0 : -1;
  }

  const widths = new WeakMap();
  const sizes = new ResizeObserver((entries) => {
    for (const entry of entries) {
      const target = entry.target.closest(`${WIDE}, ${LONG}`);
      if (!target?.clientWidth) continue; // gone, or in a closed box
      if (target.matches(LONG)) {
        target.tabIndex = target.scrollHeight > target.clientHeight ? 0 : -1;
        continue;
      }
      if (target.matches(".hr-table") && widths.get(target) !== target.clientWidth) stack(target);
      widths.set(target, target.clientWidth);
      fade(target);
    }
  });
  const observe = () => {
    for (const box of document.querySelectorAll(`${WIDE}, ${LONG}`)) {
      sizes.observe(box);
      if (box.firstElementChild) sizes.observe(box.firstElementChild);
    }
  };
  let waiting = false; // a page comes in many pieces: one look per frame is enough
  new MutationObserver(() => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      observe();
    });
  }).observe(document.body, { childList: true, subtree: true });
  const scrolled = ({ target }) => target.matches?.(WIDE) && fade(target);
  document.addEventListener("scroll", scrolled, { capture: true, passive: true });
}
