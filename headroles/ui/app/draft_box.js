// A box is marked as edited as soon as its text is another one than the one that was run; the server
// says the same when the text reaches it. Ctrl+Enter presses the button that runs the box: outside a
// form, Streamlit takes the text over and does no more.
if (!window.headrolesDrafts) {
  window.headrolesDrafts = true;
  const LOOK = 300; // milliseconds between two looks
  const lineOf = (box) => box.closest('[class*="_draft"]')?.querySelector(".hr-draft");

  setInterval(() => {
    for (const box of document.querySelectorAll('[class*="_draft"] textarea')) {
      const line = lineOf(box);
      if (line?.dataset.shown !== undefined) {
        line.classList.toggle("hr-edited", box.value !== line.dataset.shown);
      }
    }
  }, LOOK);

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    const line = event.target.matches?.("textarea") && lineOf(event.target);
    const run = line && document.querySelector(`.st-key-${line.dataset.run} button`);
    if (run) setTimeout(() => run.click()); // once Streamlit has taken the text over
  });
}
