// The video: playing, jumping, and what to do if the browser cannot play it.

const player = at("video");

let frame = 0;

function follow() {
  cancelAnimationFrame(frame);
  showTime(player.currentTime);
  if (!player.paused && !player.ended) {
    frame = requestAnimationFrame(follow);
  }
}

function jump(time) {
  const end = Number.isFinite(player.duration) ? player.duration : clips;
  player.currentTime = Math.min(Math.max(time, 0), end);
}

function toggle() {
  if (player.paused || player.ended) {
    player.play().catch(() => {}); // a file that cannot be played is an event `error`
  } else {
    player.pause();
  }
}

// The video is played from `src`; `copied`: from a copy in another format.
function load(src, copied) {
  player.dataset.copied = copied ? "yes" : "";
  player.hidden = false;
  player.src = src;
}

function showNote(video) {
  const about = [];
  if (video.note) {
    about.push(video.note);
  } else if (video.format) {
    about.push(`Browsers do not play this format (${video.format}). This is a copy of the first ${DATA.copySeconds} seconds.`);
  }
  at("note").replaceChildren(about.join(" "));
}

function failed() {
  const video = shownVideo;
  if (video.note || !player.getAttribute("src")) {
    return;
  }
  if (player.dataset.copied || !video.copy) {
    at("note").textContent = "This browser cannot play the file.";
    return;
  }
  const convert = element("button", { type: "button", id: "convert" }, "Convert it");
  convert.addEventListener("click", () => {
    at("note").textContent = `Converting; then a copy of the first ${DATA.copySeconds} seconds is played.`;
    load(video.copy, true);
  });
  at("note").replaceChildren("This browser cannot play the file. ", convert);
}

function topClasses(video, which) {
  const finding = video.findings[which];
  const rows = finding.top.map(([name, share]) => {
    const meter = element("div", { className: "share" });
    meter.style.width = `${100 * share}%`;
    const cell = element("td", { className: "meter" }, meter);
    const label = element("th", { scope: "row" }, named(name), name === video.label ? " (label)" : "");
    return element("tr", {}, label, element("td", { className: "num" }, percent(share)), cell);
  });
  const caption = element("caption", {}, named(DATA.networks[which].name));
  return element("table", {}, caption, element("tbody", {}, ...rows));
}

// The parts of a recording, as buttons that jump there.
function partList(video) {
  const items = video.parts.map((part) => {
    const button = element("button", { type: "button" }, `${clock(part.start)} to ${clock(part.end)} `, named(part.label), ` ${percent(part.score)}`);
    button.addEventListener("click", () => jump(part.start));
    return element("li", {}, button);
  });
  return element("ol", { className: "part-list" }, ...items);
}

function mark(right) {
  return element("span", { className: right ? "right" : "wrong" }, right ? "✓ right" : "✗ wrong");
}

function verdictOf(video) {
  if (video.parts) {
    return [`${video.parts.length} parts of ${clock(clips)} ${clips > 60 ? "minutes" : "seconds"} have a label.`];
  }
  const said = video.findings.flatMap((finding, which) => [
    which ? "; " : "",
    ...(DATA.networks.length > 1 ? [named(DATA.networks[which].name), " predicts "] : [video.label ? "predicted " : "Predicted "]),
    named(finding.predicted), ` (${percent(finding.top[0][1])}) `,
    ...(video.label ? [mark(video.right[which])] : []),
  ]);
  const label = video.label ? ["Label ", named(video.label), "; "] : [];
  const tags = video.warnings.flatMap((name) => [" ", element("span", { className: "tag" }, name)]);
  return [...label, ...said, ...tags];
}

function showVideo(video, playing) {
  showTimeline(video);
  at("name").replaceChildren(named(video.name));
  at("verdict").replaceChildren(...verdictOf(video));
  showNote(video);
  const details = video.parts ? [partList(video)] : DATA.networks.map((_, which) => topClasses(video, which));
  at("findings").replaceChildren(...details);
  if (video.src && !video.note) {
    load(video.src, Boolean(video.format));
    if (playing) {
      toggle();
    }
  } else {
    player.removeAttribute("src");
    player.load();
    player.hidden = true;
  }
  showTime(0);
}

for (const name of ["play", "seeked", "timeupdate", "loadeddata"]) {
  player.addEventListener(name, follow);
}
for (const name of ["play", "pause", "ended"]) {
  player.addEventListener(name, () => {
    at("play").firstChild.textContent = player.paused ? "Play " : "Pause ";
  });
}
player.addEventListener("error", failed);
at("play").addEventListener("click", toggle);
at("loop").addEventListener("change", () => { player.loop = at("loop").checked; });
scrub.addEventListener("pointerdown", (event) => {
  scrub.setPointerCapture(event.pointerId);
  jump(secondUnder(event));
});
scrub.addEventListener("pointermove", (event) => {
  if (scrub.hasPointerCapture(event.pointerId) && Math.floor(player.currentTime) !== secondUnder(event)) {
    jump(secondUnder(event));
  }
});
