// Keeps the key of a sign-in for as long as its tab is open: sessionStorage survives a reload, and no
// other origin can read it. A tab that is duplicated gets a copy, and the first of the two that uses
// the key changes it. The key is never put into the page.

const NAME = "headroles-admin-key";

export default function ({ data, setTriggerValue }) {
  let held = "";
  try {
    if (data.forget) sessionStorage.removeItem(NAME);
    if (data.keep) sessionStorage.setItem(NAME, data.keep);
    held = sessionStorage.getItem(NAME) ?? "";
  } catch {
    // The browser keeps nothing for this page: a reload will ask for the password again.
  }
  if (data.ask || data.keep) setTriggerValue("held", held);
}
