// Nothing jumps while a page is opened. Streamlit draws a place for every widget and fills it when
// the widget's script has come, and an open sidebar would push the page aside. So the style sheet
// hides the page for a moment (1.5 seconds at most), the sidebar begins closed and is opened here,
// and the page fades in when no place in the window is empty.
//
// Where the window is narrow, the sidebar stays closed. That a reader has closed it, Streamlit
// remembers; that it is open is forgotten.
if (!window.headrolesFirstPaint) {
  window.headrolesFirstPaint = true;
  const isWide = () => window.innerWidth > 768; // pixels; as Streamlit has it
  const choices = () => {
    try {
      return Object.keys(localStorage).filter((key) => key.startsWith("stSidebarCollapsed"));
    } catch {
      return []; // the browser keeps nothing for this page
    }
  };
  const forget = () =>
    choices().forEach((key) => localStorage[key] === "false" && localStorage.removeItem(key));
  const style = getComputedStyle(document.documentElement);
  const isStyled = () => style.getPropertyValue("--hr-styled");
  const open = () => {
    const button = document.querySelector("[data-testid=stExpandSidebarButton]");
    if (button && isStyled() && isWide() && !choices().length) button.click();
  };
  const isComplete = () =>
    isStyled() &&
    document.querySelector(".stMain h1") &&
    [...document.querySelectorAll("[data-testid=stSkeleton]")].every(
      (place) => place.getBoundingClientRect().top > window.innerHeight,
    );
  const watch = new MutationObserver(() => {
    open();
    if (isComplete()) show();
  });
  const show = () => {
    watch.disconnect();
    document.documentElement.classList.add("hr-ready");
  };
  window.addEventListener("pagehide", forget);
  window.addEventListener("resize", () => (isWide() ? open() : forget()));
  watch.observe(document.body, { childList: true, subtree: true });
  setTimeout(show, 1500);
}
