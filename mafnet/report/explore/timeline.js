// The rows of attention with a cursor, which follows the video and moves it.

const MOST_NUMBERS = 12;
const MOST_LABELS = 12;
const scrub = at("scrub");
let shownVideo = null;
let clips = DATA.clips; // seconds of the timeline of this video

function bar(score, peak, numbers) {
  const made = element("div", { className: "bar" });
  if (score === null || score === undefined) {
    made.classList.add("padding");
    return made;
  }
  const fill = element("div", { className: "fill" });
  fill.style.height = `calc((100% - 1.1rem) * ${score / peak})`; // room for the number
  made.append(fill);
  if (numbers && score >= 0.005) {
    made.append(element("span", {}, (100 * score).toFixed(0)));
  }
  return made;
}

function row(name, cells, className) {
  const track = element("div", { className: `track ${className}` }, ...cells);
  return [element("div", { className: "row-name" }, name), track];
}

function clock(second) {
  const rest = String(Math.floor(second % 60)).padStart(2, "0");
  return clips > 60 ? `${Math.floor(second / 60)}:${rest}` : `${Math.floor(second)}`;
}

// A block from `start` to `end`, in seconds.
function block(className, start, end) {
  const made = element("div", { className });
  made.style.left = `${(100 * start) / clips}%`;
  made.style.width = `${(100 * Math.max(Math.min(end, clips) - start, 0)) / clips}%`;
  return made;
}

function axisRow() {
  const step = Math.ceil(clips / (clips > 60 ? 6 : MOST_NUMBERS));
  const ticks = Array.from({ length: Math.ceil(clips / step) }, (_, number) => {
    const tick = element("div", { className: "second" }, clock(number * step));
    tick.style.flexGrow = Math.min(step, clips - number * step);
    return tick;
  });
  return row(clips > 60 ? "time" : "second", ticks, "axis");
}

// A row for each label of a recording, in the order of their first parts.
function partRows(parts) {
  const labels = [...new Set(parts.map((part) => part.label))].slice(0, MOST_LABELS);
  return labels.flatMap((label) => {
    const own = parts.filter((part) => part.label === label);
    return row(named(label), own.map((part) => block("part", part.start, part.end)), "parts");
  });
}

function attentionRows(video) {
  const scores = video.findings.flatMap((finding) => finding.attention.flat());
  const peak = Math.max(...scores, 1e-9);
  const numbers = clips <= MOST_NUMBERS;
  return DATA.networks.flatMap((network, which) => {
    const title = DATA.networks.length > 1 ? [element("div", { className: "network" }, named(network.name))] : [];
    const rows = network.modalities.flatMap((modality, k) => {
      const own = Array.from({ length: clips }, (_, t) => video.findings[which].attention[k][t]);
      return row(modality, own.map((score) => bar(score, peak, numbers)), `bars ${modality}`);
    });
    return rows.length ? [...title, ...rows] : [];
  });
}

function showTimeline(video) {
  shownVideo = video;
  clips = video.seconds ?? DATA.clips;
  scrub.setAttribute("aria-valuemax", clips);
  const events = video.event ? row("event", [block("event", ...video.event)], "events") : [];
  const rows = [...events, ...(video.parts ? partRows(video.parts) : attentionRows(video)), ...axisRow()];
  at("timeline").replaceChildren(...rows, scrub);
}

// The scores of all networks in one second, in words.
function scoresAt(second) {
  if (shownVideo.parts) {
    const here = shownVideo.parts.filter((part) => part.start <= second && second < part.end);
    return here.map((part) => `${part.label} ${percent(part.score)}`).join(", ") || "no label";
  }
  return DATA.networks
    .map((network, which) => {
      const parts = network.modalities.map((modality, k) => {
        const score = shownVideo.findings[which].attention[k][second];
        return `${modality} ${score === null || score === undefined ? "none" : percent(score)}`;
      });
      return (DATA.networks.length > 1 ? `${network.name}: ` : "") + parts.join(", ");
    })
    .join("; ");
}

function showTime(time) {
  const inside = time < clips;
  const second = Math.floor(Math.min(time, clips - 1e-6));
  at("cursor").style.left = `${(100 * Math.min(time, clips)) / clips}%`;
  const now = clips > 60 ? clock(time) : `${time.toFixed(1)} s`;
  const text = `${now}: ${inside ? scoresAt(second) : "the network did not read this second"}`;
  scrub.setAttribute("aria-valuenow", Math.min(time, clips).toFixed(1));
  scrub.setAttribute("aria-valuetext", text);
  at("now").textContent = text;
}

// The start of the second under the pointer.
function secondUnder(event) {
  const box = scrub.getBoundingClientRect();
  const share = Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1 - 1e-6);
  return Math.floor(share * clips);
}
