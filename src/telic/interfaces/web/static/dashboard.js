// Keeps an open page as the store is: pieces that changed arrive by server-sent events and are morphed into place.
// Without this script every page and form works all the same; the page is then as it was when it was loaded.
"use strict";

(() => {
  const address = document.body.dataset.live;
  const liveness = document.getElementById("liveness");
  let source = null;

  const say = (text, isLive) => {
    if (!liveness || liveness.textContent === text) return;
    liveness.hidden = false;
    liveness.textContent = text;
    liveness.classList.toggle("on", isLive);
  };

  const pieces = (html) => {
    const template = document.createElement("template");
    template.innerHTML = html;
    return template.content.firstElementChild;
  };

  // What a person has opened or begun to write stays.
  const keep = {
    ignoreActiveValue: true,
    callbacks: {
      beforeAttributeUpdated: (name, element) => !(name === "open" && element.tagName === "DETAILS"),
      beforeNodeMorphed: (former, next) => !isBeingWritten(former, next),
    },
  };

  const isBeingWritten = (former, next) =>
    former.tagName === "INPUT" && former.type !== "hidden" && former.value !== former.defaultValue && next.id === former.id;

  const show = (html) => {
    const next = pieces(html);
    const former = next && next.id && document.getElementById(next.id);
    if (former) Idiomorph.morph(former, next, keep);
  };

  const open = () => {
    if (source || document.hidden) return;
    source = new EventSource(address);
    source.addEventListener("open", () => say("Live", true));
    source.addEventListener("error", () => say("Not live: reconnecting", false));
    source.addEventListener("fragments", (event) => JSON.parse(event.data).forEach(show));
  };

  // A browser has few connections to one server: pages that nobody sees give theirs back.
  const close = () => {
    if (source) source.close();
    source = null;
  };

  if (address) {
    open();
    document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
    window.addEventListener("pagehide", close);
    window.addEventListener("pageshow", open);
  }

  const units = [[86400, "d"], [3600, "h"], [60, "m"], [1, "s"]];
  const age = (seconds) => {
    const [size, unit] = units.find(([size]) => seconds >= size) || units[3];
    return `${Math.max(0, Math.floor(seconds / size))}${unit}`;
  };
  setInterval(() => {
    for (const time of document.querySelectorAll("time[data-age]")) {
      const text = age((Date.now() - Date.parse(time.dateTime)) / 1000);
      if (time.textContent !== text) time.textContent = text;
    }
  }, 5000);
})();
