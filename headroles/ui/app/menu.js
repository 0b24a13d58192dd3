// On a phone the menu lies over the page: once a page or a model is chosen there, it makes way.
if (!window.headrolesMenu) {
  window.headrolesMenu = true;
  const NARROW = 768; // pixels; from here on Streamlit puts the menu beside the page
  const MENU = "[data-testid=stSidebar]";
  let model;

  const close = () => {
    if (window.innerWidth >= NARROW) return;
    document.querySelector("[data-testid=stSidebarCollapseButton] button")?.click();
  };

  const LEADS_ON = "[data-testid=stSidebarNavLink], .st-key-app-leave_class button";
  document.addEventListener("click", (event) => {
    if (event.target.closest?.(LEADS_ON)) setTimeout(close);
  });
  // A choice can be made with a finger, with the keyboard or by the invitation below the box.
  new MutationObserver(() => {
    const box = document.querySelector(`${MENU} [role=combobox]`);
    if (!box || box.ariaExpanded === "true") return;
    if (model !== undefined && model !== box.value) setTimeout(close);
    model = box.value;
  }).observe(document.body, { childList: true, subtree: true });
}
