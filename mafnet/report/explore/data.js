// The data of the page, and what filters and rows need of each video.
"use strict";

const DATA = JSON.parse(document.getElementById("data").textContent);

const at = (id) => document.getElementById(id);
const percent = (share) => `${(100 * share).toFixed(1)} %`;

// All texts of the data come in as text nodes, so none of them is read as HTML.
function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

// A name of any script, which does not change the direction of the text around it.
const named = (text) => element("bdi", {}, text);

function dominant(finding, modalities) {
  const sums = finding.attention.map((row) => row.reduce((sum, score) => sum + (score ?? 0), 0));
  return sums.length ? modalities[sums.indexOf(Math.max(...sums))] : "";
}

DATA.videos.forEach((video, number) => {
  const [first] = video.findings;
  video.number = number;
  video.text = `${video.name} ${video.file}`.toLowerCase();
  video.confidence = first.top[0]?.[1] ?? 0;
  video.predicted = video.parts ? video.parts.map((part) => part.label) : [first.predicted];
  video.right = video.findings.map((finding) => finding.predicted === video.label);
  video.dominant = dominant(first, DATA.networks[0].modalities);
});
