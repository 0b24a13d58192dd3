// Text is handed over when somebody stops typing for a moment, as it is when the box is left: the
// server then says that it was edited, and keeps it. Ctrl+Enter presses the button that runs the box:
// outside a form, Streamlit takes the text over and does no more.
if (!window.headrolesDrafts) {
  window.headrolesDrafts = true;
  const PAUSE = 500; // milliseconds
  const place = (box) => box.matches?.("textarea") && box.closest('[class*="_draft"]');
  let waiting;

  const typed = (event) => {
    clearTimeout(waiting);
    const box = event.target;
    if (!place(box) || event.isComposing) return;
    const keys = { key: "Enter", ctrlKey: true, bubbles: true };
    waiting = setTimeout(() => box.dispatchEvent(new KeyboardEvent("keydown", keys)), PAUSE);
  };
  document.addEventListener("input", typed);
  // The last input of a character that is composed of several keys still counts as composing.
  document.addEventListener("compositionend", typed);

  document.addEventListener("keydown", (event) => {
    if (!event.isTrusted || event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    const run = place(event.target)?.querySelector?.(".hr-draft")?.dataset.run;
    const button = run && document.querySelector(`.st-key-${run} button`);
    if (button) setTimeout(() => button.click()); // once Streamlit has taken the text over
  });
}
