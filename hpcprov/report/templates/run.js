
"use strict";
// The printed output of a run: shown by rank, by stream, and by words in its lines.
(() => {
  const lines = document.getElementById("output-lines");
  if (!lines) return;
  const [rank, stream, find, count] = ["rank", "stream", "find", "count"].map((name) => document.getElementById("output-" + name));
  const show = () => {
    const words = find.value.toLowerCase();
    let left = 0;
    for (const line of lines.children) {
      const its = (!rank.value || line.dataset.r === rank.value) && (!stream.value || line.className === stream.value || line.className === "gap");
      line.hidden = !(its && (!words || line.textContent.toLowerCase().includes(words)));
      left += line.hidden ? 0 : 1;
    }
    count.textContent = rank.value || stream.value || words ? left.toLocaleString("en") + " lines" : "";
  };
  for (const [tool, event] of [[rank, "change"], [stream, "change"], [find, "input"]]) tool.addEventListener(event, show);
})();
