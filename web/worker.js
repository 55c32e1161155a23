// What takes time, away from the page: it is asked {id, call, args} and answers {id, result} or {id, error}.

import { remaining } from "./cascade.js";
import { findFaces } from "./faces.js";
import { findPeople, lastConfidences } from "./people.js";
import { openFaces, openStage, start } from "./runtime.js";

/** @import { Stage } from "./cascade.js" */
/** @import { Finding } from "./people.js" */

/** @type {import("./crop.js").Photo} */
let photo;
/** @type {Promise<import("./people.js").Face[]> | null} */
let faces = null;
/** @type {Map<string, Promise<Stage[]>>} */
const opened = new Map();
const models = fetch(new URL("./models.json", import.meta.url)).then((answer) => answer.json());
const ready = start();
const faceNetwork = ready.then(() => openFaces("./networks/centerface.onnx.gz"));

/** @param {string} model @returns {Promise<Stage[]>} */
function stagesOf(model) {
  if (!opened.has(model)) opened.set(model, open(model));
  return /** @type {Promise<Stage[]>} */ (opened.get(model));
}

/** @param {string} model */
async function open(model) {
  await ready;
  const { stages } = (await models)[model];
  const found = [];
  for (const about of stages) found.push(await openStage(`./networks/${model}/stage${about.stage}.onnx.gz`, about));
  return found;
}

/** @type {Record<string, (...args: any[]) => Promise<any>>} */
const calls = {
  async setPhoto(/** @type {import("./crop.js").Photo} */ given) {
    photo = given;
    faces = null;
  },
  open: async (model) => (await stagesOf(model)).length,
  async people(model) {
    const stages = await stagesOf(model);
    faces ??= findFaces(photo, await faceNetwork);
    return findPeople(stages, photo, await faces, (await models)[model].finding);
  },
  async remaining(model, known, box) {
    const stages = await remaining(await stagesOf(model), photo, known, box);
    return { stages, confidences: lastConfidences(stages, (await models)[model].finding) };
  },
};

let last = Promise.resolve();
self.onmessage = ({ data: { id, call, args } }) => {
  last = last.then(async () => {
    try {
      self.postMessage({ id, result: await calls[call](...args) });
    } catch (error) {
      self.postMessage({ id, error: error instanceof Error ? error.message : String(error) });
    }
  });
};
