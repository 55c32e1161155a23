// The page: which photo, model, person, stage and joint are shown, and what is dragged.

import { Camera } from "./camera.js";
import { crop } from "./crop.js";
import { heatOf, REACH, View } from "./view.js";

/** @import { Estimate, Point } from "./cascade.js" */
/** @import { Person } from "./people.js" */

const MOST_PIXELS = 64e6;
const NEAR = 16; // Pixels on the screen: what a pointer meets.
const [STEP, LEAP] = [1, 10]; // Pixels that a key moves, and with shift.
const SMALLEST_BOX = 10;
/** @type {Record<string, Point>} */
const WAYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** @param {string} id @returns {any} */
const element = (id) => document.getElementById(id);
const [status, steps, slider, story] = [element("status"), element("steps"), element("stage"), element("story")];
const [personChoice, jointChoice, cropCanvas] = ["person", "joint", "crop"].map(element);
/** @type {HTMLCanvasElement} */
const canvas = element("picture");
const view = new View(canvas);
const camera = new Camera(element("preview"), canvas);
const models = fetch("models.json").then((answer) => answer.json());
const worker = new Worker(`worker.js${location.search}`, { type: "module" });
/** @type {Map<number, {resolve: (result: any) => void, reject: (error: Error) => void}>} */
const waiting = new Map();
worker.onmessage = ({ data: { id, result, error, runs } }) => {
  if (runs) {
    element("runs").textContent = runs;
    return;
  }
  const { resolve, reject } = /** @type {any} */ (waiting.get(id));
  waiting.delete(id);
  if (error === undefined) resolve(result);
  else reject(new Error(error));
};
worker.onerror = () => say("What runs the networks could not be started: this browser is too old.", true);

/** @param {string} call @param {...any} args @returns {Promise<any>} */
function ask(call, ...args) {
  return new Promise((resolve, reject) => {
    const id = nextId++;
    waiting.set(id, { resolve, reject });
    worker.postMessage({ id, call, args });
  });
}
let nextId = 0;

const state = {
  /** @type {ImageData | null} */ photo: null,
  name: "",
  model: "lsp",
  /** @type {any} */ about: null,
  /** @type {Person[]} */ found: [], // as they were found
  /** @type {Person[]} */ people: [], // as they are after dragging
  /** @type {((place: Point) => void) | null} */ drag: null,
  asked: 0,
};
const stage = () => Number(slider.value);
const joint = () => Number(jointChoice.value);
const person = () => state.people[Number(personChoice.value)];

/** @param {string} words @param {boolean} [isError] */
function say(words, isError = false) {
  status.textContent = words;
  status.classList.toggle("error", isError);
}

/** @param {any} error */
const fail = (error) => say(error.message, true);

/** @param {Blob} file @param {string} name */
async function open(file, name) {
  const asked = ++state.asked;
  camera.stop();
  say(`Reading ${name} …`);
  try {
    const bitmap = await createImageBitmap(file, { imageOrientation: "from-image", colorSpaceConversion: "none" });
    if (bitmap.width * bitmap.height > MOST_PIXELS) {
      return say(`${name} has ${bitmap.width}×${bitmap.height} pixels, more than 64 million: save it smaller.`, true);
    }
    const drawn = new OffscreenCanvas(bitmap.width, bitmap.height);
    const context = /** @type {OffscreenCanvasRenderingContext2D} */ (
      drawn.getContext("2d", { willReadFrequently: true })
    );
    context.drawImage(bitmap, 0, 0);
    if (asked !== state.asked) return;
    state.photo = context.getImageData(0, 0, bitmap.width, bitmap.height);
    state.name = name;
    view.show(bitmap, bitmap.width, bitmap.height);
  } catch {
    return say(`${name} is no picture that this browser can decode: save it as JPEG or PNG.`, true);
  }
  const { data, width, height } = state.photo;
  ask("setPhoto", { data, width, height }).catch(fail);
  await find();
}

async function find() {
  if (!state.photo) return;
  const asked = ++state.asked;
  steps.inert = true;
  state.people = [];
  view.clear();
  try {
    say("Loading the networks …");
    await ask("open", state.model);
    say("Looking for people …");
    const seen = await ask("people", state.model);
    const about = (await models)[state.model];
    if (asked !== state.asked) return;
    for (const { first, confidences } of seen) view.pose(first.pose, about.limbs, confidences);
    if (seen.length > 0) say("Refining their poses …");
    const found = await ask("refined", state.model, seen);
    if (asked !== state.asked) return;
    state.about = about;
    state.found = found;
    state.people = structuredClone(found);
  } catch (error) {
    return fail(error);
  }
  const { people, about, name } = state;
  canvas.setAttribute(
    "aria-label",
    `${name} with the poses of ${people.length}; the arrow keys move b⁰, or the chosen joint of the stage before`,
  );
  if (people.length === 0) return say(`Nobody was found in ${name}. Faces help: try one where they are seen.`);
  say(`${name}: ${people.length === 1 ? "1 person" : `${people.length} people`}.`);
  fill(
    personChoice,
    people.map(({ score }, index) => `${index + 1}: ${score.toFixed(2)}`),
  );
  fill(jointChoice, about.stages[0].joints);
  slider.max = about.stages.length;
  slider.value = slider.max;
  steps.inert = false;
  draw();
}

/** @param {HTMLSelectElement} choice @param {string[]} names */
function fill(choice, names) {
  choice.replaceChildren(...names.map((name, index) => new Option(name, String(index))));
}

function draw() {
  if (!person()) return;
  const { stages, box, confidences } = person();
  const { about, people } = state;
  const [number, last] = [stage(), stages.length];
  view.clear();
  people.forEach((other, index) => {
    if (other === person()) return;
    view.pose(other.stages[last - 1].pose, about.limbs, other.confidences);
    view.write(`${index + 1}: ${other.score.toFixed(2)}`, corner(other.box));
  });
  const now = stages[number - 1];
  if (number < 2) view.box(box, "#fff", number === 0 ? 3 : 1.5);
  if (number > 1) {
    const before = stages[number - 2].pose;
    for (const square of now.boxes) view.box(square, "#fff9", 0.75);
    view.pose(before, about.limbs, null, true);
    view.pose(now.pose, about.limbs, number === last ? confidences : null);
    view.box(now.boxes[joint()], "#ffe600", 2);
    for (const [index, place] of now.pose.entries()) view.arrow(before[index], place);
  } else if (now) view.pose(now.pose, about.limbs, number === last ? confidences : null);
  if (now) {
    view.heat(now.maps[joint()], seenBy(number));
    view.dot(now.pose[joint()], 6, false, "#ffe600");
  }
  view.write(`${people.indexOf(person()) + 1}: ${person().score.toFixed(2)}`, corner(box));
  tell(number);
  drawCrop(number);
}

/** @param {number[]} box @returns {Point} */
const corner = ([x, y, width, height]) => [x - width / 2, y - height / 2];
/** @param {number[]} values @param {number} [digits] */
const text = (values, digits = 1) =>
  `(${values.map((value) => value.toFixed(digits)).join(", ")})`.replaceAll("-", "−");

/** @param {number} number of the stage */
function tell(number) {
  const { stages, box, face, confidences } = person();
  const names = state.about.stages[0].joints;
  const name = names[joint()];
  const stageName = number === 0 ? "Initial box b⁰" : `Stage ${number} of ${stages.length}`;
  element("stage-name").textContent = stageName;
  slider.setAttribute("aria-valuetext", stageName);
  const now = stages[number - 1];
  if (!now) {
    const made = face
      ? "made about a face or a pose that began with it"
      : "the full photo, or made about the pose in it";
    story.textContent =
      `b⁰ has its centre at ${text(box)} and is ${box[2].toFixed(0)} × ${box[3].toFixed(0)} pixels, ${made}. ` +
      `Drag it, or its lower right corner; or use the arrow keys on the picture.`;
  } else {
    const seen = seenBy(number);
    const place = now.pose[joint()];
    const from = number === 1 ? seen : stages[number - 2].pose[joint()];
    const answer = [(place[0] - seen[0]) / seen[2], (place[1] - seen[1]) / seen[3]];
    const moved = Math.hypot(place[0] - from[0], place[1] - from[1]);
    story.textContent =
      number === 1
        ? `Of the crop N(x; b⁰), ψ says ${text(answer, 3)} for the ${name}: ${text(place)} in the photo (Eq. 5).`
        : `The ${name} was at ${text(from)}. In its box, σ·diam = ${seen[2].toFixed(1)} pixels wide, ψ says ${text(answer, 3)}: ` +
          `it moves ${moved.toFixed(1)} pixels, to ${text(place)} (Eq. 6). Drag its old place and see what comes of it.`;
  }
  const { pose } = stages[Math.max(number, 1) - 1];
  element("joints").replaceChildren(
    ...pose.map(([x, y], index) => {
      const row = document.createElement("tr");
      const sure = number === stages.length ? confidences[index].toFixed(2) : "";
      for (const value of [names[index], x.toFixed(1), y.toFixed(1), sure]) row.insertCell().textContent = value;
      return row;
    }),
  );
  for (const term of document.querySelectorAll("[data-lit]")) {
    term.classList.toggle("lit", String(term.getAttribute("data-lit")).includes(String(Math.min(number, 2))));
  }
}

/** The box whose crop a stage's network saw. @param {number} number of the stage */
const seenBy = (number) =>
  number === 0 ? person().box : person().stages[number - 1].boxes[number === 1 ? 0 : joint()];

/** What the network saw and what it answered: its map reaches beyond the crop. @param {number} number of the stage */
function drawCrop(number) {
  const about = state.about.stages[Math.max(number, 1) - 1];
  const now = person().stages[number - 1];
  const box = seenBy(number);
  const size = about.input.shape[1];
  const side = size * REACH;
  const edge = (side - size) / 2;
  const pixels = crop(/** @type {ImageData} */ (state.photo), box, size, about.padding);
  const image = new ImageData(size, size);
  for (let at = 0; at < size * size; at++) image.data.set([...pixels.subarray(at * 3, at * 3 + 3), 255], at * 4);
  // Twice the crop's own pixels, so that lines are fine.
  cropCanvas.width = cropCanvas.height = side * 2;
  const context = cropCanvas.getContext("2d");
  const seen = new OffscreenCanvas(size, size);
  /** @type {OffscreenCanvasRenderingContext2D} */ (seen.getContext("2d")).putImageData(image, 0, 0);
  context.scale(2, 2);
  context.drawImage(seen, edge, edge);
  if (!now) return;
  context.drawImage(heatOf(now.maps[joint()]), 0, 0, side, side);
  const [x, y] = [0, 1].map((axis) => ((now.pose[joint()][axis] - box[axis]) / box[2 + axis]) * size + side / 2);
  const path = new Path2D();
  if (number > 1) {
    path.moveTo(side / 2, side / 2);
    path.lineTo(x, y);
  }
  path.moveTo(x + size / 32, y);
  path.arc(x, y, size / 32, 0, 2 * Math.PI);
  for (const [colour, width] of /** @type {[string, number][]} */ ([
    ["#000", 3],
    ["#ffe600", 1.5],
  ])) {
    context.strokeStyle = colour;
    context.lineWidth = (width * size) / 128;
    context.stroke(path);
  }
}

/** @type {{one: Person, from: number} | null} */
let wanted = null;
let isRunning = false;
/** The stages from the one that is shown on, anew: of what was moved. */
async function again() {
  draw();
  wanted = { one: person(), from: Math.max(stage() - 1, 0) };
  if (isRunning) return;
  isRunning = true;
  try {
    while (wanted) {
      /** @type {{one: Person, from: number}} */
      const { one, from } = wanted;
      wanted = null;
      const asked = state.asked;
      const found = await ask("remaining", state.model, one.stages.slice(0, from), one.box);
      if (asked !== state.asked) continue;
      // Those before may have been moved on meanwhile.
      one.stages = [...one.stages.slice(0, from), ...found.stages.slice(from)];
      one.confidences = found.confidences;
      draw();
    }
  } catch (error) {
    fail(error);
  } finally {
    isRunning = false;
  }
}

/**
 * What a pointer at a place of the photo takes hold of; chooses its joint.
 * @param {Point} place @returns {((place: Point) => void) | null}
 */
function grab(place) {
  const { box, stages } = person();
  const reach = view.reach(NEAR);
  if (stage() === 0) {
    const away = [place[0] - box[0], place[1] - box[1]];
    const isCorner = Math.hypot(away[0] - box[2] / 2, away[1] - box[3] / 2) < reach;
    const [left, top] = corner(box);
    if (!isCorner && (Math.abs(away[0]) > box[2] / 2 || Math.abs(away[1]) > box[3] / 2)) return null;
    return ([x, y]) => {
      if (!isCorner) return void box.splice(0, 2, x - away[0], y - away[1]);
      const [width, height] = [Math.max(x - left, SMALLEST_BOX), Math.max(y - top, SMALLEST_BOX)];
      box.splice(0, 4, left + width / 2, top + height / 2, width, height);
    };
  }
  const before = stage() > 1 ? stages[stage() - 2].pose : [];
  const now = stages[stage() - 1].pose;
  const near = [...before, ...now]
    .map(([x, y], index) => ({ index, away: Math.hypot(x - place[0], y - place[1]) }))
    .sort((a, b) => a.away - b.away)[0];
  if (near.away > reach) return null;
  jointChoice.value = String(near.index % now.length);
  draw();
  if (near.index >= before.length) return null;
  return ([x, y]) => void before.splice(near.index, 1, [x, y]);
}

canvas.addEventListener("pointerdown", (event) => {
  if (steps.inert) return;
  state.drag = grab(view.place(event));
  if (state.drag) canvas.setPointerCapture(event.pointerId);
});
canvas.addEventListener("pointermove", (event) => {
  if (!state.drag) return;
  state.drag(view.place(event));
  again();
});
for (const end of ["pointerup", "pointercancel"]) {
  canvas.addEventListener(end, () => {
    state.drag = null;
  });
}
canvas.addEventListener("keydown", (event) => {
  const way = WAYS[event.key];
  if (!way || steps.inert || stage() === 1) return;
  event.preventDefault();
  const moved = stage() === 0 ? person().box : person().stages[stage() - 2].pose[joint()];
  for (const axis of [0, 1]) moved[axis] += way[axis] * (event.shiftKey ? LEAP : STEP);
  again();
});
for (const control of [slider, jointChoice, personChoice]) control.addEventListener("input", draw);
element("reset").addEventListener("click", () => {
  const index = Number(personChoice.value);
  state.people[index] = structuredClone(state.found[index]);
  draw();
});
for (const choice of document.querySelectorAll("input[name=model]")) {
  choice.addEventListener("change", () => {
    state.model = /** @type {HTMLInputElement} */ (choice).value;
    find();
  });
}
element("file").addEventListener("change", (/** @type {Event} */ event) => {
  const input = /** @type {HTMLInputElement} */ (event.target);
  if (input.files?.[0]) open(input.files[0], input.files[0].name);
  input.value = "";
});
element("camera").addEventListener("click", async () => {
  try {
    say("Asking for the camera …");
    await camera.start();
    say("Stand so that you are seen as a whole, then take the photo.");
  } catch (error) {
    fail(error);
  }
});
element("take").addEventListener("click", async () => {
  const frame = await camera.frame();
  element("camera").focus();
  await open(frame, "The camera’s frame");
});
element("cancel").addEventListener("click", () => {
  camera.stop();
  element("camera").focus();
  say("No photo was taken.");
});
const drop = element("drop");
for (const kind of ["dragover", "dragleave", "drop"]) {
  drop.addEventListener(kind, (/** @type {DragEvent} */ event) => {
    event.preventDefault();
    drop.classList.toggle("over", kind === "dragover");
    const file = kind === "drop" && event.dataTransfer?.files[0];
    if (file) open(file, file.name);
  });
}
for (const name of await fetch("samples.json").then((answer) => answer.json())) {
  const button = document.createElement("button");
  button.textContent = name;
  button.addEventListener("click", async () => {
    const answer = await fetch(`samples/${name}.jpg`);
    await open(await answer.blob(), name);
  });
  element("samples").append(button);
}
// Before anybody asks, so that the first answer is quick; what refines may come after it.
ask("open", state.model)
  .then(() => state.photo ?? ask("openAll", state.model))
  .catch(fail);
new ResizeObserver(draw).observe(canvas);
/** For tests, and for the curious at the console. */
Object.assign(window, { deeppose: state });
