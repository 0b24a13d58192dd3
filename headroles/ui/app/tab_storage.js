// Keeps a text for as long as its tab is open: sessionStorage survives a reload, and no other origin
// can read it. A tab that is duplicated gets a copy. The text is never put into the page.

export default function ({ data, setTriggerValue }) {
  let held = "";
  try {
    if (data.forget) sessionStorage.removeItem(data.name);
    if (data.keep) sessionStorage.setItem(data.name, data.keep);
    held = sessionStorage.getItem(data.name) ?? "";
  } catch {
    // The browser keeps nothing for this page, or not as much: a reload will begin anew.
  }
  if (data.ask === "always" || (data.ask === "if held" && held)) setTriggerValue("held", held);
}
