// Streamlit pushes an entry into the browser's history whenever an address changes behind its
// question mark. Opening a page then leaves two entries, and Back has to be pressed twice. Here
// such a change completes the page's entry, except that another prompt, and another step of a
// lesson, gets an entry of its own: Back returns to the previous one.
//
// What a page writes behind its question mark may arrive before the browser stands on that page; it
// would spoil the entry of the page before. So it waits a moment, for a change of the path.
if (!window.headrolesHistory) {
  window.headrolesHistory = true;
  const MOMENT = 150; // milliseconds
  const push = window.history.pushState.bind(window.history);
  const NAMES = ["prompt", "second_prompt", "lesson", "step"];
  const places = (url) => NAMES.map((name) => url.searchParams.get(name));
  const isBeside = (url) =>
    ["second_prompt", "second_model"].some((name) => url.searchParams.has(name)) &&
    !url.pathname.endsWith("/head_map"); // whose two models stand where they are chosen
  const toTop = () => document.querySelector("[data-testid=stMain]")?.scrollTo(0, 0);
  let waiting;

  const write = (state, title, query) => {
    const here = new URL(window.location.href);
    const next = new URL(here.pathname + query, here);
    const written = { ...state, written: true };
    if (isBeside(next) && !isBeside(here)) toTop(); // what is put beside the first stands there
    if (!window.history.state?.written || `${places(next)}` === `${places(here)}`) {
      window.history.replaceState(written, title, next);
    } else {
      push(written, title, next);
    }
  };

  window.history.pushState = (state, title, address) => {
    const here = new URL(window.location.href);
    const next = new URL(address ?? here.href, here);
    if (next.pathname !== here.pathname) {
      push(state, title, address);
      toTop(); // a page begins at its top
    } else {
      clearTimeout(waiting);
      waiting = setTimeout(() => write(state, title, next.search + next.hash), MOMENT);
    }
  };
  window.addEventListener("popstate", () => clearTimeout(waiting));
}
