// A button that copies a link. Text is only ever set as text, never as markup.

/** The whole address: only the browser knows for certain which page it shows. Some hosts put the app
    into a frame under /~/+/, which is no address that anybody else can open. */
function whole(query) {
  const { origin, pathname } = window.location;
  return origin + pathname.replace("/~/+", "") + (query ? `?${query}` : "");
}

/** Whether the link is on the clipboard now. */
async function copied(link) {
  try {
    await navigator.clipboard.writeText(link);
    return true;
  } catch {
    return false; // no permission, or not a secure page
  }
}

/** The same by the older way, for pages that are not served securely. */
function copiedFrom(box) {
  box.focus();
  box.select();
  try {
    return document.execCommand("copy");
  } catch {
    return false;
  }
}

export default function ({ data, parentElement }) {
  const button = parentElement.querySelector("button");
  const said = parentElement.querySelector(".said");
  const box = parentElement.querySelector("input");
  const link = whole(data.query);
  if (box.value !== link) {
    // The state has changed: the message is about the previous link.
    box.value = link;
    box.hidden = true;
    said.textContent = "";
  }
  button.onclick = async () => {
    box.value = whole(data.query);
    let done = await copied(box.value);
    box.hidden = done && !data.problem;
    if (!done) done = copiedFrom(box);
    const words = done ? "✓ Copied." : "Press Ctrl+C to copy it.";
    said.textContent = data.problem ? `${words} ${data.problem}` : words;
  };
}
