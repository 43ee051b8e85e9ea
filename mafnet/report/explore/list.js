// The list of videos, its filters, and the keys.

const STEP = 200;
let found = [];
let room = STEP;
let current = null;

const field = (id) => at(id)?.value ?? "";

const COMPARED = {
  same: (video) => video.findings[0].predicted === video.findings[1].predicted,
  different: (video) => video.findings[0].predicted !== video.findings[1].predicted,
  first: (video) => video.right[0] && !video.right[1],
  second: (video) => video.right[1] && !video.right[0],
};

function fits(video) {
  const confidence = 100 * video.confidence;
  const words = field("text").toLowerCase().split(/\s+/).filter(Boolean);
  return (
    words.every((one) => video.text.includes(one)) &&
    (!field("label") || video.label === field("label")) &&
    (!field("predicted") || video.predicted.includes(field("predicted"))) &&
    (!field("outcome") || video.right[0] === (field("outcome") === "right")) &&
    confidence >= Number(field("least") || 0) &&
    confidence <= Number(field("most") || 100) &&
    (!field("dominant") || video.dominant === field("dominant")) &&
    (!field("compare") || COMPARED[field("compare")](video))
  );
}

function entry(video) {
  const [first] = video.findings;
  const outcome = video.label ? [mark(video.right[0]), " "] : [];
  const change = video.label && !video.right[0] ? [named(video.label), " → "] : [];
  const what = element("span", { className: "what" }, ...outcome, ...change, ...(first.predicted ? [named(first.predicted), ` ${percent(video.confidence)}`] : ["no part has a label"]));
  const button = element("button", { type: "button" }, element("span", { className: "name" }, named(video.name)), what);
  button.dataset.number = video.number;
  button.addEventListener("click", () => {
    select(video);
    at("name").scrollIntoView({ block: "nearest" });
  });
  return element("li", {}, button);
}

function showList() {
  at("list").replaceChildren(...found.slice(0, room).map(entry));
  at("more").hidden = found.length <= room;
  at("count").textContent = `${found.length} of ${DATA.videos.length} videos`;
  markCurrent();
}

// Scrolls the list, but not the page.
function showInList(button) {
  const list = at("list");
  const above = button.offsetTop - list.scrollTop;
  if (above < 0 || above + button.offsetHeight > list.clientHeight) {
    list.scrollTop = button.offsetTop - list.clientHeight / 2;
  }
}

function markCurrent() {
  for (const button of at("list").querySelectorAll("button")) {
    const own = current !== null && Number(button.dataset.number) === current.number;
    button.removeAttribute("aria-current");
    if (own) {
      button.setAttribute("aria-current", "true");
      showInList(button);
    }
  }
}

function filter() {
  found = DATA.videos.filter(fits);
  const order = { sure: -1, unsure: 1 }[field("order")] ?? 0;
  found.sort((one, other) => order * (one.confidence - other.confidence));
  room = STEP;
  showList();
}

function select(video) {
  const playing = !player.paused && !player.ended;
  current = video;
  location.replace(`#${video.number}`);
  showVideo(video, playing);
  markCurrent();
}

// The next (1) or previous (-1) of the videos that fit the filters.
function move(direction) {
  const here = found.indexOf(current);
  const next = here < 0 ? 0 : here + direction;
  if (found[next]) {
    if (room <= next) {
      room = next + STEP;
      showList();
    }
    select(found[next]);
  }
}

const KEYS = {
  " ": toggle,
  ArrowLeft: () => jump(Math.ceil(player.currentTime - 1e-3) - 1),
  ArrowRight: () => jump(Math.floor(player.currentTime + 1e-3) + 1),
  Home: () => jump(0),
  n: () => move(1),
  p: () => move(-1),
};

// Fields and buttons keep their own keys; a button has only the space bar.
function isFree(event) {
  const tag = event.target.tagName;
  if (event.ctrlKey || event.altKey || event.metaKey || ["INPUT", "SELECT", "TEXTAREA"].includes(tag)) {
    return false;
  }
  return !(["BUTTON", "SUMMARY"].includes(tag) && event.key === " ");
}

document.addEventListener("keydown", (event) => {
  const action = KEYS[event.key];
  if (action && isFree(event)) {
    event.preventDefault();
    action();
  }
}, true);
// After a click of the mouse the space bar plays; who uses the keyboard stays on the button.
document.addEventListener("click", (event) => {
  if (event.detail && document.activeElement?.tagName === "BUTTON") {
    document.activeElement.blur();
  }
});
at("previous").addEventListener("click", () => move(-1));
at("next").addEventListener("click", () => move(1));
at("more").addEventListener("click", () => { room += STEP; showList(); });
at("filters").addEventListener("input", filter);
at("filters").addEventListener("reset", () => setTimeout(filter));
at("filters").addEventListener("submit", (event) => event.preventDefault());
filter();
select(DATA.videos[Number(location.hash.slice(1))] ?? found[0]);
