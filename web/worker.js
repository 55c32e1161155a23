// What takes time, away from the page: it is asked {id, call, args} and answers {id, result} or {id, error};
// {runs} is in words what runs the networks.

import { remaining } from "./cascade.js";
import { findFaces } from "./faces.js";
import { findPeople, lastConfidences, refinePeople } from "./people.js";
import { openFaces, stagesIn } from "./runtime.js";

/** @import { Stage } from "./cascade.js" */

/** @type {import("./crop.js").Photo} */
let photo;
/** Those of the photo, by how many pixels of its longer side they were looked for in.
 * @type {Map<number, Promise<import("./people.js").Face[]>>} */
const faces = new Map();
/** @type {Map<string, Stage[]>} */
const opened = new Map();
const faceNetwork = openFaces("./networks/centerface.onnx.gz");
faceNetwork.catch(() => {}); // Whoever waits for it says so.
const models = fetch(new URL("./models.json", import.meta.url)).then((answer) => answer.json());

/** @param {string} model @returns {Promise<Stage[]>} */
async function stagesOf(model) {
  /** @type {{stages: import("./cascade.js").Description[]}} */
  const { stages } = (await models)[model];
  if (!opened.has(model)) opened.set(model, stagesIn(`./networks/${model}`, stages));
  return /** @type {Stage[]} */ (opened.get(model));
}

/** @type {Record<string, (...args: any[]) => Promise<any>>} */
const calls = {
  async setPhoto(/** @type {import("./crop.js").Photo} */ given) {
    photo = given;
    faces.clear();
  },
  /** What it takes to find people. */
  async open(model) {
    const [first] = await stagesOf(model);
    await Promise.all([first.load(), faceNetwork]);
  },
  /** What it takes to refine their poses. */
  async openAll(model) {
    for (const stage of await stagesOf(model)) await stage.load();
  },
  async people(model) {
    const { finding } = (await models)[model];
    const network = await faceNetwork;
    if (!faces.has(finding.search)) faces.set(finding.search, findFaces(photo, network, finding.search));
    const found = /** @type {import("./people.js").Face[]} */ (await faces.get(finding.search));
    return findPeople(await stagesOf(model), photo, found, finding);
  },
  async refined(model, seen) {
    return refinePeople(await stagesOf(model), photo, seen, (await models)[model].finding);
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
