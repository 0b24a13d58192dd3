// After a click that leads on, the browser goes to what is new, and so does a reader's focus.
(function arrive(tries) {
  const place = document.getElementById("TARGET");
  if (!place) {
    if (tries) setTimeout(() => arrive(tries - 1), 60);
    return;
  }
  place.focus({ preventScroll: true });
  const top = place.getBoundingClientRect().top;
  if (top < 60 || top > innerHeight * 0.7) place.scrollIntoView({ block: "start" });
})(20);
