// Streamlit pushes an entry into the browser's history whenever an address changes behind its
// question mark. Opening a page then leaves two entries, and Back has to be pressed twice. Here
// such a change completes the page's entry, except that another prompt gets an entry of its own:
// Back returns to the previous prompt.
if (!window.headrolesHistory) {
  window.headrolesHistory = true;
  const push = window.history.pushState.bind(window.history);
  const prompts = (url) => ["prompt", "second_prompt"].map((name) => url.searchParams.get(name));

  window.history.pushState = (state, title, address) => {
    const here = new URL(window.location.href);
    const next = new URL(address ?? here.href, here);
    const written = { ...state, written: true };
    if (next.pathname !== here.pathname) {
      push(state, title, address);
    } else if (!window.history.state?.written || `${prompts(next)}` === `${prompts(here)}`) {
      window.history.replaceState(written, title, address);
    } else {
      push(written, title, address);
    }
  };
}
