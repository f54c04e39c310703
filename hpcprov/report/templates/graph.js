"use strict";
// The picture of a lineage: move, zoom, find, and show what is known of a box and all that it came from and led to.
for (const graph of document.querySelectorAll(".graph")) {
  const frame = graph.querySelector(".graph-window"), svg = frame.querySelector("svg"), panel = graph.querySelector(".graph-panel");
  const width = svg.width.baseVal.value, height = svg.height.baseVal.value, SMALLEST = 0.06, LARGEST = 4;
  const box = svg.querySelector(".node rect"), [wide, high] = box ? [box.width.baseVal.value, box.height.baseVal.value] : [0, 0];
  const nodes = [...svg.querySelectorAll(".node")].map((box) => {
    const place = box.transform.baseVal.getItem(0).matrix;
    return { box, x: place.e + wide / 2, y: place.f + high / 2, up: [], down: [], text: null };
  });
  const ways = [...svg.querySelectorAll(".ways path")].map((line) => ({ line, from: +line.dataset.from, to: +line.dataset.to }));
  for (const way of ways) { nodes[way.from].down.push(way.to); nodes[way.to].up.push(way.from); }
  const entry = (n) => document.getElementById(graph.id + "-" + n);
  const view = { x: 0, y: 0, scale: 1 };

  // Moving: the view box is what is seen.
  const size = () => [frame.clientWidth, frame.clientHeight];
  let printing = false;
  const show = (loose = 400) => {
    if (printing) return;
    const [w, h] = size(), seen = [w / view.scale, h / view.scale];
    for (const [axis, all, part] of [["x", width, seen[0]], ["y", height, seen[1]]]) {
      const slack = Math.min(part * 0.6, loose / view.scale);
      view[axis] = part >= all ? (all - part) / 2 + Math.max(-slack, Math.min(slack, view[axis] - (all - part) / 2))
        : Math.max(-slack, Math.min(all - part + slack, view[axis]));
    }
    svg.setAttribute("viewBox", [view.x, view.y, ...seen].map((number) => number.toFixed(2)).join(" "));
  };
  const zoom = (factor, at) => {
    const [w, h] = size(), [px, py] = at || [w / 2, h / 2];
    const scale = Math.max(SMALLEST, Math.min(LARGEST, view.scale * factor));
    view.x += px / view.scale - px / scale;
    view.y += py / view.scale - py / scale;
    view.scale = scale;
    show();
  };
  const centre = (x, y, loose) => {
    const [w, h] = size();
    view.x = x - w / 2 / view.scale;
    view.y = y - h / 2 / view.scale;
    show(loose);
  };
  const fit = () => {
    const [w, h] = size();
    view.scale = Math.max(SMALLEST, Math.min(1.15, w / width, h / height));
    centre(width / 2, height / 2);
  };
  const bring = (n) => {
    const [w, h] = size(), node = nodes[n], left = (node.x - view.x) * view.scale, top = (node.y - view.y) * view.scale;
    if (left < wide / 2 * view.scale || top < high / 2 * view.scale || left > w - wide / 2 * view.scale || top > h - high / 2 * view.scale) centre(node.x, node.y);
  };
  const begin = () => {
    graph.classList.add("moving");
    const narrow = innerWidth < 832, most = Math.round(innerHeight * (narrow ? 0.6 : 0.72));
    const whole = Math.min(1.15, frame.clientWidth / width, most / height);
    // Too large to be read as a whole: begin where the question was.
    view.scale = whole >= 0.6 ? whole : narrow ? 0.9 : 1;
    frame.style.height = Math.max(150, Math.min(most, Math.ceil(height * view.scale) + 4)) + "px";
    graph.classList.toggle("roomy", frame.clientHeight >= 360);
    const first = whole >= 0.6 ? { x: width / 2, y: height / 2 } : nodes[+graph.dataset.middle] || { x: 0, y: 0 };
    centre(first.x, first.y, 0);
  };

  const held = new Map();
  let moved = 0;
  const point = (event) => { const box = frame.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
  frame.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    held.set(event.pointerId, point(event));
    moved = held.size > 1 ? 99 : 0;
  });
  frame.addEventListener("pointermove", (event) => {
    const before = held.get(event.pointerId);
    if (!before) return;
    const now = point(event);
    if (held.size === 2) {
      const other = [...held].find(([id]) => id !== event.pointerId)[1];
      const apart = (a) => Math.hypot(a[0] - other[0], a[1] - other[1]) || 1;
      zoom(apart(now) / apart(before), [(now[0] + other[0]) / 2, (now[1] + other[1]) / 2]);
    } else {
      moved += Math.abs(now[0] - before[0]) + Math.abs(now[1] - before[1]);
      if (moved < 5) return;
      frame.setPointerCapture(event.pointerId);
      frame.classList.add("held");
      view.x -= (now[0] - before[0]) / view.scale;
      view.y -= (now[1] - before[1]) / view.scale;
      show();
    }
    held.set(event.pointerId, now);
  });
  const drop = (event) => { held.delete(event.pointerId); frame.classList.remove("held"); };
  frame.addEventListener("pointerup", drop);
  frame.addEventListener("pointercancel", drop);
  frame.addEventListener("pointerleave", (event) => { if (!frame.hasPointerCapture(event.pointerId)) drop(event); });
  frame.addEventListener("dragstart", (event) => event.preventDefault());
  frame.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    zoom(Math.exp(-Math.max(-60, Math.min(60, event.deltaY)) / 150), point(event));
  }, { passive: false });

  // Choosing: what is known of a box, and the ways to and from it.
  const reached = (n, side) => {
    const seen = new Set([n]);
    for (const one of seen) for (const next of nodes[one][side]) seen.add(next);
    return seen;
  };
  let chosen = null;
  const close = () => {
    const within = panel.contains(document.activeElement);
    panel.hidden = true;
    graph.classList.remove("tracing");
    for (const box of svg.querySelectorAll(".near, .chosen")) box.classList.remove("near", "chosen");
    if (chosen !== null && within) nodes[chosen].box.focus();
    chosen = null;
  };
  const choose = (n) => {
    close();
    chosen = n;
    const up = reached(n, "up"), down = reached(n, "down");
    nodes.forEach((node, k) => node.box.classList.toggle("near", up.has(k) || down.has(k)));
    for (const { line, from, to } of ways) line.classList.toggle("near", (up.has(from) && up.has(to)) || (down.has(from) && down.has(to)));
    nodes[n].box.classList.add("chosen");
    graph.classList.add("tracing");
    const button = document.createElement("button");
    button.type = "button";
    button.className = "close";
    button.textContent = "close";
    button.addEventListener("click", () => { panel.focus(); close(); });
    const text = entry(n).querySelector(".entry").cloneNode(true);
    for (const extra of text.querySelectorAll("button")) extra.remove();
    panel.replaceChildren(button, text);
    panel.hidden = false;
    panel.tabIndex = -1;
    panel.scrollTop = 0;
    bring(n);
    panel.focus({ preventScroll: true });
  };
  svg.addEventListener("click", (event) => {
    const box = event.target.closest(".node");
    if (box) event.preventDefault();
    if (moved >= 5) return;
    if (box) choose(+box.dataset.n); else close();
  });
  panel.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-n]");
    if (!link) return;
    event.preventDefault();
    choose(+link.dataset.n);
  });

  // Keys: in the picture arrows move it; on a box they walk to its neighbours.
  const walk = (n, key) => {
    const here = nodes[n], near = (a, b) => Math.abs(nodes[a].y - here.y) - Math.abs(nodes[b].y - here.y);
    if (key === "ArrowRight" || key === "ArrowLeft") return [...here[key === "ArrowRight" ? "down" : "up"]].sort(near)[0];
    const sign = key === "ArrowDown" ? 1 : -1;
    return nodes.map((_, k) => k).filter((k) => Math.abs(nodes[k].x - here.x) < wide / 2 && (nodes[k].y - here.y) * sign > 1).sort(near)[0];
  };
  const STEPS = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };
  const TOOLS = { in: () => zoom(1.3), out: () => zoom(1 / 1.3), fit };
  const KEYS = { "+": "in", "=": "in", "-": "out", "0": "fit" };
  frame.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const box = event.target.closest(".node"), step = STEPS[event.key];
    if (box && step) {
      const next = walk(+box.dataset.n, event.key);
      if (next !== undefined) nodes[next].box.focus();
    } else if (step) {
      view.x += step[0] * 80 / view.scale;
      view.y += step[1] * 80 / view.scale;
      show();
    } else if (event.key in KEYS) TOOLS[KEYS[event.key]]();
    else return;
    event.preventDefault();
  });
  graph.addEventListener("keydown", (event) => { if (event.key === "Escape" && chosen !== null) close(); });
  // Not of the picture itself, which would make that a stop of the keyboard.
  frame.addEventListener("focusin", (event) => {
    const box = event.target.closest(".node");
    frame.scrollTo(0, 0);
    if (box && box.matches(":focus-visible")) bring(+box.dataset.n);
  });
  graph.querySelector(".graph-buttons").addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button) TOOLS[button.dataset.do]();
  });

  // Finding: all words, in a box's name and in what is known of it.
  const input = graph.querySelector(".graph-find"), told = graph.querySelector(".graph-found");
  let hits = [], at = 0;
  const words = (n) => {
    if (nodes[n].text === null) {
      const parts = entry(n).querySelectorAll(".entry-name, dl.facts dd");
      nodes[n].text = [nodes[n].box.textContent, ...[...parts].map((part) => part.textContent)].join("\n").toLowerCase();
    }
    return nodes[n].text;
  };
  const visit = (k) => {
    at = k;
    if (view.scale < 0.5) view.scale = 0.8;
    centre(nodes[hits[at]].x, nodes[hits[at]].y);
    told.textContent = hits.length > 1 ? (at + 1) + " of " + hits.length + " (Enter: the next one)" : "found";
  };
  input.addEventListener("input", () => {
    const wanted = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    hits = wanted.length ? nodes.map((_, n) => n).filter((n) => wanted.every((word) => words(n).includes(word))) : [];
    nodes.forEach((node, n) => node.box.classList.toggle("hit", hits.includes(n)));
    if (hits.length) visit(0); else told.textContent = wanted.length ? "not found" : "";
  });
  input.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !hits.length) return;
    event.preventDefault();
    if (event.shiftKey) choose(hits[at]); else visit((at + 1) % hits.length);
  });

  addEventListener("resize", () => show());
  addEventListener("beforeprint", () => { close(); printing = true; frame.style.height = ""; svg.setAttribute("viewBox", "0 0 " + width + " " + height); });
  addEventListener("afterprint", () => { printing = false; begin(); });
  begin();
}
