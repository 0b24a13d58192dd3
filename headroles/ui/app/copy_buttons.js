// Buttons that copy a link and a frame. Text is only ever set as text, never as markup.

/** The whole address: only the browser knows for certain which page it shows. Some hosts put the app
    into a frame under /~/+/, which is no address that anybody else can open. */
function whole(query) {
  const { origin, pathname } = window.location;
  return origin + pathname.replace("/~/+", "") + (query ? `?${query}` : "");
}

/** The frame that shows the same in a page of one's own. The address is quoted as HTML wants it. */
function frame(query) {
  const source = `${whole(query)}${query ? "&" : "?"}embed=true`.replaceAll("&", "&amp;");
  return (
    `<iframe src="${source}" title="headroles" width="100%" height="800" style="border: 0" ` +
    'loading="lazy" allow="clipboard-write; fullscreen"></iframe>'
  );
}

/** Whether the text is on the clipboard now. */
async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
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
  const [button, embed] = parentElement.querySelectorAll("button");
  const said = parentElement.querySelector(".said");
  const box = parentElement.querySelector("input");
  const link = whole(data.query);
  if (box.dataset.link !== link) {
    // The state has changed: the message is about the previous link.
    box.dataset.link = link;
    box.value = link;
    box.hidden = true;
    said.textContent = "";
  }
  const copy = async (text, after) => {
    box.value = text;
    let done = await copied(text);
    box.hidden = done && !data.problem;
    if (!done) done = copiedFrom(box);
    const words = done ? `✓ Copied.${after}` : "Press Ctrl+C to copy it.";
    said.textContent = data.problem ? `${words} ${data.problem}` : words;
  };
  button.onclick = () => copy(whole(data.query), "");
  embed.onclick = () => copy(frame(data.query), " Paste it into the HTML of your page.");
}
