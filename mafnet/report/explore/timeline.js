// The rows of attention with a cursor, which follows the video and moves it.

const MOST_NUMBERS = 12;
const scrub = at("scrub");
let shownVideo = null;

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

function eventRow(event) {
  const mark = element("div", { className: "event" });
  const end = Math.min(event[1], DATA.clips);
  mark.style.left = `${(100 * event[0]) / DATA.clips}%`;
  mark.style.width = `${(100 * Math.max(end - event[0], 0)) / DATA.clips}%`;
  return row("event", [mark], "events");
}

function axisRow() {
  const step = Math.ceil(DATA.clips / MOST_NUMBERS);
  const seconds = Array.from({ length: DATA.clips }, (_, second) =>
    element("div", { className: "second" }, second % step ? "" : `${second}`),
  );
  return row("second", seconds, "axis");
}

function attentionRows(video) {
  const scores = video.findings.flatMap((finding) => finding.attention.flat());
  const peak = Math.max(...scores, 1e-9);
  const numbers = DATA.clips <= MOST_NUMBERS;
  return DATA.networks.flatMap((network, which) => {
    const title = DATA.networks.length > 1 ? [element("div", { className: "network" }, named(network.name))] : [];
    const rows = network.modalities.flatMap((modality, k) => {
      const own = Array.from({ length: DATA.clips }, (_, t) => video.findings[which].attention[k][t]);
      return row(word(modality), own.map((score) => bar(score, peak, numbers)), `bars ${modality}`);
    });
    return rows.length ? [...title, ...rows] : [];
  });
}

function showTimeline(video) {
  shownVideo = video;
  const rows = [...(video.event ? eventRow(video.event) : []), ...attentionRows(video), ...axisRow()];
  at("timeline").replaceChildren(...rows, scrub);
}

// The scores of all networks in one second, in words.
function scoresAt(second) {
  return DATA.networks
    .map((network, which) => {
      const parts = network.modalities.map((modality, k) => {
        const score = shownVideo.findings[which].attention[k][second];
        return `${word(modality)} ${score === null || score === undefined ? "none" : percent(score)}`;
      });
      return (DATA.networks.length > 1 ? `${network.name}: ` : "") + parts.join(", ");
    })
    .join("; ");
}

function showTime(time) {
  const inside = time < DATA.clips;
  const second = Math.floor(Math.min(time, DATA.clips - 1e-6));
  at("cursor").style.left = `${(100 * Math.min(time, DATA.clips)) / DATA.clips}%`;
  const text = inside ? `${time.toFixed(1)} s: ${scoresAt(second)}` : `${time.toFixed(1)} s: the network did not read this second`;
  scrub.setAttribute("aria-valuenow", Math.min(time, DATA.clips).toFixed(1));
  scrub.setAttribute("aria-valuetext", text);
  at("now").textContent = text;
}

// The start of the second under the pointer.
function secondUnder(event) {
  const box = scrub.getBoundingClientRect();
  const share = Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1 - 1e-6);
  return Math.floor(share * DATA.clips);
}
