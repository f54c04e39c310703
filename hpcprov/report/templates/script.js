
"use strict";
// What every page can do beyond HTML: filter a list, copy a digest, open what is folded before printing.
(() => {
  const said = document.querySelector(".said");
  let quiet = 0;
  const say = (text) => {
    said.textContent = text;
    clearTimeout(quiet);
    quiet = setTimeout(() => { said.textContent = ""; }, 2500);
  };

  // <input type="search" data-filter="ID"> hides those children of #ID (rows of a table's body, items) that lack its words.
  const filter = (input) => {
    const list = document.getElementById(input.dataset.filter);
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let left = 0;
    for (const item of list.children) {
      const text = item.textContent.toLowerCase();
      item.hidden = !words.every((word) => text.includes(word));
      left += item.hidden ? 0 : 1;
    }
    const count = document.getElementById(input.dataset.filter + "-count");
    if (count) count.textContent = words.length ? left.toLocaleString("en") + " shown" : "";
  };
  document.addEventListener("input", (event) => {
    if (event.target.matches("input[data-filter]")) filter(event.target);
  });

  const copy = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
      say("Copied");
    } catch {
      say("Could not copy: select it and copy it by hand");
    }
  };
  // A button behind each digest or command that can be seen; those in what is folded get theirs when it is opened.
  const offer = (root) => {
    for (const code of root.querySelectorAll("code.digest, [data-copy]")) {
      if (code.dataset.offered || (code.closest("details:not([open])") && !code.closest("summary"))) continue;
      code.dataset.offered = "1";
      const button = document.createElement("button");
      button.type = "button";
      button.className = "copy";
      button.textContent = "copy";
      button.setAttribute("aria-label", "copy " + code.textContent.slice(0, 30));
      button.addEventListener("click", (event) => { event.preventDefault(); copy(code.textContent); });
      code.after(button);
    }
  };
  offer(document);
  document.addEventListener("toggle", (event) => { if (event.target.open) offer(event.target); }, true);

  // What a link or the address leads to is opened.
  const reveal = () => {
    const target = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
    for (let box = target; box; box = box.parentElement) if (box.tagName === "DETAILS") box.open = true;
    if (target) target.scrollIntoView();
  };
  addEventListener("hashchange", reveal);
  reveal();

  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details[data-print]:not([open])")];
    for (const box of opened) box.open = true;
  });
  addEventListener("afterprint", () => { for (const box of opened) box.open = false; });

  // A calendar that does not fit begins at its newest runs.
  for (const year of document.querySelectorAll(".calendar")) {
    const last = [...year.querySelectorAll("a")].pop();
    if (last) year.scrollLeft += last.getBoundingClientRect().right + 8 - year.getBoundingClientRect().right;
  }

  for (const tool of document.querySelectorAll(".needs-script")) tool.hidden = false;
})();
