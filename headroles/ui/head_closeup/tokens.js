// A strip of tokens. Moving over one previews what it looks at and what looks at it; a click, a tap
// or the arrow keys choose it. Tokens are only ever set as text, never as markup.

const BLUE = "46, 127, 208";
const ORANGE = "204, 106, 20";
const NAMED = 5;

const percent = (weight) => `${Math.round(weight * 100)}%`;

/** What a token looks at, and the later tokens that look at it: [[position, weight], ...]. */
function linksOf(rows, place) {
  const pairs = (row) =>
    Array.from({ length: row.length / 2 }, (_, i) => [row[2 * i], row[2 * i + 1] / 1000]);
  const to = pairs(rows[place]);
  const from = [];
  for (let query = place + 1; query < rows.length; query++) {
    for (const [key, weight] of pairs(rows[query])) if (key === place) from.push([query, weight]);
  }
  return { to, from };
}

function inWords(tokens, place, { to, from }) {
  const named = (links) =>
    [...links]
      .sort((a, b) => b[1] - a[1])
      .slice(0, NAMED)
      .map(([other, weight]) => `“${tokens[other]}” (${other}) ${percent(weight)}`)
      .join(", ");
  const looks = to.length ? `looks at ${named(to)}` : "looks at nothing that is left";
  const looked = from.length
    ? `Looked at by ${named(from)}.`
    : "No token after it looks at it with 1% or more.";
  return `“${tokens[place]}” (${place}) ${looks}. ${looked}`;
}

function show(strip, said, data, place) {
  const links = linksOf(data.rows, place);
  const to = new Map(links.to);
  const from = new Map(links.from);
  [...strip.children].forEach((button, other) => {
    const weight = to.get(other) ?? from.get(other);
    const word = to.has(other) ? "to" : "from";
    button.className = "token";
    button.style.background = "";
    button.lastChild.textContent = "";
    if (weight !== undefined) {
      button.classList.add(word);
      // As in the pattern, the opacity is the square root, so that 1% can be seen.
      const colour = to.has(other) ? BLUE : ORANGE;
      button.style.background = `rgba(${colour}, ${(0.75 * Math.sqrt(weight)).toFixed(3)})`;
      button.lastChild.textContent = `${word} ${percent(weight)}`;
    }
    if (other === place) button.classList.add("here");
  });
  said.textContent = inWords(data.tokens, place, links);
}

/** Scroll the strip, not the page, until a token of a long prompt is in the middle of it. */
function reveal(strip, button) {
  const [outer, inner] = [strip.getBoundingClientRect(), button.getBoundingClientRect()];
  if (inner.top >= outer.top && inner.bottom <= outer.bottom) return;
  strip.scrollTop += inner.top + inner.height / 2 - (outer.top + outer.height / 2);
}

function makeButton(token, place) {
  const button = document.createElement("button");
  const name = document.createElement("bdi");
  name.textContent = token;
  name.dir = "ltr"; // what is read from right to left is isolated inside the label
  button.type = "button";
  button.setAttribute("role", "radio");
  button.title = `position ${place}`;
  button.append(name, document.createElement("small"));
  return button;
}

const MOVES = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };

export default function (component) {
  const { data, parentElement, setStateValue } = component;
  const strip = parentElement.querySelector(".strip");
  const said = parentElement.querySelector(".said");
  const tokens = JSON.stringify(data.tokens);
  if (strip.dataset.tokens !== tokens) {
    strip.replaceChildren(...data.tokens.map(makeButton));
    strip.dataset.tokens = tokens;
  }
  const buttons = [...strip.children];
  let chosen = data.chosen;

  const mark = () =>
    buttons.forEach((button, place) => {
      button.setAttribute("aria-checked", String(place === chosen));
      button.tabIndex = place === chosen ? 0 : -1; // one stop for Tab; the arrows move inside
    });
  const choose = (place) => {
    chosen = place;
    mark();
    show(strip, said, data, chosen);
    setStateValue("token", chosen);
  };

  buttons.forEach((button, place) => {
    button.onclick = () => choose(place);
    // A finger that scrolls past is no hover, nor is a page that moves under a mouse at rest.
    button.onpointermove = (event) => {
      const moved = event.movementX || event.movementY;
      if (moved && event.pointerType === "mouse") show(strip, said, data, place);
    };
  });
  strip.onpointerleave = () => show(strip, said, data, chosen);
  strip.onkeydown = (event) => {
    const ends = { Home: 0, End: buttons.length - 1 };
    const place = ends[event.key] ?? chosen + (MOVES[event.key] ?? 0);
    if (!(event.key in MOVES) && !(event.key in ends)) return;
    event.preventDefault();
    if (!buttons[place]) return;
    choose(place);
    buttons[place].focus();
  };
  mark();
  show(strip, said, data, chosen);
  if (strip.dataset.chosen !== `${chosen} ${tokens}`) {
    strip.dataset.chosen = `${chosen} ${tokens}`;
    requestAnimationFrame(() => buttons[chosen] && reveal(strip, buttons[chosen])); // once laid out
  }
}
