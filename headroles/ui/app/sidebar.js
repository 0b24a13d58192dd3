// The sidebar begins closed and is opened here, as soon as the style sheet is there, which lets the
// page fade in beside it: an open one would push the page aside first. On a phone it stays closed.
// Streamlit remembers a reader's own choice; this one is forgotten when it no longer fits.
if (!window.headrolesSidebar) {
  window.headrolesSidebar = true;
  const NARROW = 768; // pixels; as Streamlit has it
  const choices = () => Object.keys(localStorage).filter((key) => key.startsWith("stSidebarCollapsed"));
  const forget = () => choices().forEach((key) => localStorage.removeItem(key));
  const open = () => {
    const button = document.querySelector("[data-testid=stExpandSidebarButton]");
    if (!button) return false;
    if (window.innerWidth > NARROW && !choices().length) {
      button.click();
      window.addEventListener("pagehide", forget);
      window.addEventListener("resize", () => window.innerWidth <= NARROW && forget());
    }
    document.documentElement.classList.add("hr-ready");
    return true;
  };
  if (!open()) {
    const watch = new MutationObserver(() => open() && watch.disconnect());
    watch.observe(document.body, { childList: true, subtree: true });
  }
}
